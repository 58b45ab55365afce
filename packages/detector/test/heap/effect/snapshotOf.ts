/** Runs a program in a process of its own until it writes its heap snapshot, and reads the snapshot. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { field } from "../../../src/heap/effect/Values.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { readSnapshot } from "../../../src/heap/readSnapshot.ts"
import { fixture } from "../../support/Fiberscope.ts"

/** The snapshot of `test/fixtures/heap/<name>.mjs`, with or without the values of numbers, under a version of effect. */
export const snapshotOf = (
  name: string,
  numbers: "numbers" | "plain" = "plain",
  effect: string = "effect"
): Promise<HeapGraph> =>
  written((file) => {
    const env = { ...process.env, EFFECT_PACKAGE: effect }
    const load = effect === "effect" ? [] : ["--import", fixture("heap/other-effect.mjs")]
    return run(process.execPath, [...load, fixture(`heap/${name}.mjs`), file, numbers], { env })
  })

/** The snapshot of a program of the corpus that has run for two seconds without load from outside. */
export const snapshotOfCorpus = (name: string): Promise<HeapGraph> =>
  written((file) => {
    const program = fileURLToPath(new URL(`../../corpus/${name}`, import.meta.url))
    const env = { ...process.env, HEAP_SNAPSHOT: file }
    return run(process.execPath, ["--import", fixture("heap/after-two-seconds.mjs"), program], { env })
  })

const run = promisify(execFile)

const written = async (write: (file: string) => Promise<unknown>): Promise<HeapGraph> => {
  const folder = await mkdtemp(join(tmpdir(), "fiberscope-heap-"))
  try {
    const file = join(folder, "program.heapsnapshot")
    await write(file)
    return await Effect.runPromise(readSnapshot(file))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The only object of a class of the program. */
export const objectOf = (graph: HeapGraph, name: string): number => {
  const number = graph.strings.find(name)
  for (let node = 0; node < graph.nodes; node++) {
    const isObject = graph.type[node] === graph.nodeTypes.get("object") && graph.name[node] === number
    // The prototype has the name of the class too.
    if (isObject && !graph.strings.text(graph.edgeName[graph.firstEdge[node]!]!).startsWith("constructor")) return node
  }
  throw new Error(`the snapshot has no ${name}`)
}

/** The value of a field of an object. */
export const valueOf = (graph: HeapGraph, node: number, ...names: ReadonlyArray<string>): number => {
  const value = field(graph, node, ...names)
  if (value === undefined) throw new Error(`there is no ${names.join(".")}`)
  return value
}
