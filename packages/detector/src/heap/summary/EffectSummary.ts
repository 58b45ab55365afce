/** Effect's objects in a snapshot: fibers, those that nothing resumes, and containers. */
import type { HeapStep } from "../../agent/Protocol.ts"
import { stepsOf } from "../compareSnapshots.ts"
import { blockedFibers } from "../effect/Blocked.ts"
import type { Container } from "../effect/Container.ts"
import { containers } from "../effect/Containers.ts"
import { effectObjects } from "../effect/EffectFields.ts"
import { fibersOf } from "../effect/Fibers.ts"
import type { HeapGraph } from "../HeapGraph.ts"
import type { Signed } from "../Signatures.ts"
import { groupAlone, groupFibers } from "./FiberGroups.ts"
import type { FiberGroup } from "./FiberGroups.ts"

/** The largest container of a path, and how many there are. */
interface HeldContainer extends Pick<Container, "bound" | "isExact" | "kind" | "size" | "waiting"> {
  readonly steps: ReadonlyArray<HeapStep>
  readonly count: number
}

/**
 * Fibers that no callback resumes.
 *
 * **Details**
 *
 * - `blocked`: proven. They stay until their parent, scope or set ends them;
 * - `held`: nothing resumes them, but code that can run could interrupt them;
 * - `undecided`: the reason why nothing can be proven.
 */
interface BlockedSummary {
  readonly blocked: ReadonlyArray<FiberGroup>
  readonly held: ReadonlyArray<FiberGroup>
  readonly undecided: string | undefined
}

/** Effect's objects of a snapshot. */
export interface EffectSummary {
  readonly alive: number
  readonly ended: number
  readonly groups: ReadonlyArray<FiberGroup>
  readonly blocked: BlockedSummary
  readonly containers: ReadonlyArray<HeldContainer>
}

/** Containers with fewer entries are no reason to look. */
const fewest = 16

/** The most containers. */
const most = 200

/** Summarizes Effect's objects; the containers are there in any program. */
export const effectSummaryOf = (graph: HeapGraph, { signature, tree }: Signed): EffectSummary => {
  const objects = effectObjects(graph)
  const dump = fibersOf(graph, objects)
  const found = containers(graph, objects)
  return {
    alive: dump.alive,
    ended: dump.ended,
    groups: groupFibers(dump),
    blocked: blockedSummary(graph, objects),
    containers: largestOf(found.all(fewest), ({ node }) => signature[node]!).slice(0, most)
      .map(({ count, largest: { bound, isExact, kind, node, size, waiting } }) => ({
        bound,
        isExact,
        kind,
        size,
        waiting,
        count,
        steps: stepsOf(tree.path(signature[node]!))
      }))
  }
}

/** The first one of each path, and the number of all. */
const largestOf = (
  found: ReadonlyArray<Container>,
  pathOf: (container: Container) => number
): ReadonlyArray<{ readonly largest: Container; readonly count: number }> => {
  const byPath = new Map<string, { readonly largest: Container; count: number }>()
  for (const container of found) {
    const key = `${pathOf(container)} ${container.kind}`
    const known = byPath.get(key)
    if (known === undefined) byPath.set(key, { largest: container, count: 1 })
    else known.count++
  }
  return [...byPath.values()]
}

const blockedSummary = (graph: HeapGraph, objects: ReturnType<typeof effectObjects>): BlockedSummary => {
  const proof = blockedFibers(graph, objects)
  return proof._tag === "Undecided"
    ? { blocked: [], held: [], undecided: proof.reason }
    : { blocked: groupAlone(proof.blocked), held: groupAlone(proof.held), undecided: undefined }
}
