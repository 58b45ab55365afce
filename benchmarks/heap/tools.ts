/** The readers of snapshots that are compared. Each runs alone in its process, so that its memory is that of the process. */
import { createReadStream } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"

/** Loads a tool, which may be installed in `folder`. It reads a file and answers the number of nodes in it. */
type Tool = (folder: string) => Promise<(file: string) => Promise<number>>

/** Reading, shortest paths, signatures with their numbers, dominators and retained sizes. */
const ours: Tool = async () => {
  const Effect = await import("effect/Effect")
  const { dominatorsOf } = await import("../../packages/detector/src/heap/Dominators.ts")
  const { censusOf, signAs } = await import("../../packages/detector/src/heap/Growth.ts")
  const { readSnapshot } = await import("../../packages/detector/src/heap/readSnapshot.ts")
  return async (file) => {
    const graph = await Effect.runPromise(readSnapshot(file))
    censusOf(graph, signAs(graph))
    dominatorsOf(graph)
    return graph.nodes
  }
}

/** Reading, shortest paths, dominators and retained sizes. */
const memlab: Tool = async (folder) => {
  const { getFullHeapFromFile } = createRequire(`${folder}/`)("@memlab/heap-analysis") as {
    readonly getFullHeapFromFile: (file: string) => Promise<{ readonly nodes: { readonly length: number } }>
  }
  return async (file) => (await getFullHeapFromFile(file)).nodes.length
}

/** Reading, distances from the root, classes, dominators and retained sizes: Chrome's DevTools. */
const toolkit: Tool = async () => {
  // It is there for tests of the detector.
  const { resolve } = createRequire(new URL("../../packages/detector/package.json", import.meta.url))
  const { parse } = await import(pathToFileURL(resolve("heap-snapshot-toolkit")).href) as {
    readonly parse: (stream: unknown) => Promise<{ readonly nodeCount: number }>
  }
  return async (file) => (await parse(createReadStream(file, "utf8"))).nodeCount
}

/** The tools by name. The first one is compared with each of the others. */
export const tools: Readonly<Record<string, Tool>> = { ours, toolkit, memlab }

/** Installed by the benchmark and nowhere else: its packages download a browser where their scripts run. */
export const memlabPackage = "@memlab/heap-analysis@2.0.5"
