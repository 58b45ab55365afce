/** Compares snapshot files of one process: reads one after the other, so that only one is in memory. */
import * as Effect from "effect/Effect"
import type { HeapPath, HeapStep } from "../agent/Protocol.ts"
import { censusOf, growingPaths, signAs } from "./Growth.ts"
import type { BoundOf, Census, GrowingPath, Least } from "./Growth.ts"
import type { HeapGraph } from "./HeapGraph.ts"
import { readSnapshot } from "./readSnapshot.ts"
import { isToolFile } from "./Scripts.ts"
import { SignatureTree } from "./Signatures.ts"
import type { Signed, Step } from "./Signatures.ts"
import type { SnapshotError } from "./SnapshotError.ts"

/** The heap in each snapshot, in bytes, and the paths that grew. */
export interface Comparison {
  readonly bytes: ReadonlyArray<number>
  readonly paths: ReadonlyArray<HeapPath>
}

/** Reads a snapshot that was named. */
export type ReadSnapshot = (name: string) => Effect.Effect<HeapGraph, SnapshotError>

/**
 * Compares two or more snapshots, oldest first.
 *
 * **Details**
 *
 * - `read`: how a snapshot is read. Default: as a file;
 * - `bounds`: reads the bounds of containers from the newest snapshot. Default: none has a bound;
 * - `newest`: is called with the newest snapshot, before an older one is read;
 * - `done`: is called after each one, which is no longer needed then;
 * - `least`: the growth of a path that counts.
 */
export const compareSnapshots = (
  names: ReadonlyArray<string>,
  options: {
    readonly read?: ReadSnapshot
    readonly bounds?: (graph: HeapGraph, signed: Signed) => BoundOf
    readonly newest?: (graph: HeapGraph, signed: Signed) => void
    readonly done?: (name: string) => void
    readonly least?: Least
  } = {}
): Effect.Effect<Comparison, SnapshotError> =>
  Effect.gen(function*() {
    const tree = new SignatureTree()
    const censuses: Array<Census> = []
    const bytes: Array<number> = []
    let boundOf: BoundOf | undefined
    for (const name of names.toReversed()) {
      const graph = yield* (options.read ?? readSnapshot)(name)
      options.done?.(name)
      const signed = signAs(graph, tree, censuses.at(-1))
      if (censuses.length === 0) {
        boundOf = options.bounds?.(graph, signed)
        options.newest?.(graph, signed)
      }
      censuses.unshift(censusOf(graph, signed))
      bytes.unshift(sizeOf(graph))
    }
    return {
      bytes,
      paths: growingPaths(censuses, 2 * mostPaths, options.least, boundOf).filter(isOfProgram).slice(0, mostPaths).map(
        pathOf
      )
    }
  })

const mostPaths = 20

/** Paths through Fiberscope itself are left out: its census has a weak reference to each fiber that is suspended for long. */
const isOfProgram = ({ steps }: GrowingPath): boolean =>
  !steps.some(({ edge, place }, i) =>
    (edge === "refs" && steps.slice(0, i).some((before) => before.edge === "#copies"))
    || (place !== undefined && isToolFile(place.file))
  )

const sizeOf = (graph: HeapGraph): number => {
  let sum = 0
  for (let node = 0; node < graph.nodes; node++) sum += graph.selfSize[node]!
  return sum
}

const pathOf = ({ steps, ...path }: GrowingPath): HeapPath => ({ ...path, steps: stepsOf(steps) })

/** The steps of a path without the details of a heap. */
export const stepsOf = (steps: ReadonlyArray<Step>): ReadonlyArray<HeapStep> => steps.map(stepOf)

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
  ...(place === undefined ? {} : { place: { name: node === generator ? "" : node, ...place } })
})

/** The class of a module's and a generator's frame, which is not the name of a function. */
const generator = "Generator"
