/** Which scripts are the tool's own: what they allocate, and where they wait, is no news of the program. */

const agentFolder = new URL(".", import.meta.url).href
const coreFolder = new URL(".", import.meta.resolve("@fiberscope/core/FiberCensus")).href
/** The modules of core that the agent is made of, without their endings. */
export const coreModules = [
  "FiberCensus",
  "FiberSite",
  "internal/census/FiberRuntime",
  "internal/census/FiberTable",
  "internal/census/Guard",
  "internal/census/effectVersions"
]

const own: ReadonlySet<string> = new Set(
  coreModules.flatMap((name) => [`${coreFolder}${name}.ts`, `${coreFolder}${name}.js`])
)

/** Whether a script, by the URL that V8 knows it by, belongs to the agent or the census. */
export const isOwn = (url: string): boolean => url.startsWith(agentFolder) || own.has(url)
