/** Compares snapshot files of one process: reads one after the other, so that only one is in memory. */
import * as Effect from "effect/Effect"
import type { HeapPath, HeapStep } from "../agent/Protocol.ts"
import { censusOf, growingPaths } from "./Growth.ts"
import type { Census, GrowingPath } from "./Growth.ts"
import type { HeapGraph } from "./HeapGraph.ts"
import { readSnapshot } from "./readSnapshot.ts"
import { SignatureTree } from "./Signatures.ts"
import type { Step } from "./Signatures.ts"
import type { SnapshotError } from "./SnapshotError.ts"

/** The heap in each snapshot, in bytes, and the paths that grew. */
export interface Comparison {
  readonly bytes: ReadonlyArray<number>
  readonly paths: ReadonlyArray<HeapPath>
}

/** Compares two or more snapshots, oldest first. `done` is called after each file, which is no longer needed then. */
export const compareSnapshots = (
  files: ReadonlyArray<string>,
  done: (file: string) => void = () => {}
): Effect.Effect<Comparison, SnapshotError> =>
  Effect.gen(function*() {
    const tree = new SignatureTree()
    const censuses: Array<Census> = []
    const bytes: Array<number> = []
    for (const file of files.toReversed()) {
      const graph = yield* readSnapshot(file)
      done(file)
      censuses.unshift(censusOf(graph, tree, censuses.at(-1)))
      bytes.unshift(sizeOf(graph))
    }
    return { bytes, paths: growingPaths(censuses).slice(0, mostPaths).map(pathOf) }
  })

const mostPaths = 20

const sizeOf = (graph: HeapGraph): number => {
  let sum = 0
  for (let node = 0; node < graph.nodes; node++) sum += graph.selfSize[node]!
  return sum
}

const pathOf = ({ steps, ...path }: GrowingPath): HeapPath => ({ ...path, steps: steps.map(stepOf) })

const kinds: Readonly<Record<Step["kind"], HeapStep["kind"]>> = {
  object: "object",
  native: "object",
  closure: "function",
  context: "scope",
  string: "value",
  value: "value",
  internal: "internal",
  root: "internal"
}

const stepOf = ({ edge, kind, node, place }: Step): HeapStep => ({
  edge,
  node,
  kind: place === undefined ? kinds[kind] : "function",
  ...(place === undefined ? {} : { place: { name: node, ...place } })
})
