/** Recognizes the tool's own scripts. Their frames are left out of stacks and waiting places. */

const agentFolder = new URL(".", import.meta.url).href
const coreFolder = new URL(".", import.meta.resolve("@fiberscope/core/FiberCensus")).href
/** The modules of core that the agent loads, without file extensions. */
export const coreModules = [
  "FiberCensus",
  "FiberSite",
  "internal/census/FiberRuntime",
  "internal/census/FiberTable",
  "internal/census/Guard",
  "internal/census/effectVersions",
  "internal/census/heldBy",
  "internal/census/programFile"
]

const own: ReadonlySet<string> = new Set(
  coreModules.flatMap((name) => [`${coreFolder}${name}.ts`, `${coreFolder}${name}.js`])
)

/** Whether a script belongs to the agent or the census, by the URL that V8 has for it. */
export const isToolFile = (url: string): boolean => url.startsWith(agentFolder) || own.has(url)
