/** Which scripts are the tool's own: what they allocate, and where they wait, is no news of the program. */

const agentFolder = new URL(".", import.meta.url).href
const coreFolder = new URL(".", import.meta.resolve("@fiberscope/core/FiberCensus")).href
const ofCore = ["FiberCensus", "FiberSite", "internal/FiberRuntime", "internal/FiberTable"]

const own: ReadonlySet<string> = new Set(
  ofCore.flatMap((name) => [`${coreFolder}${name}.ts`, `${coreFolder}${name}.js`])
)

/** Whether a script, by the URL that V8 knows it by, belongs to the agent or the census. */
export const isOwn = (url: string): boolean => url.startsWith(agentFolder) || own.has(url)
