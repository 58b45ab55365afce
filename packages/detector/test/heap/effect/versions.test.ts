/** The private fields under each version of effect that can be observed: what is not known there is not read wrong. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { blockedFibers } from "../../../src/heap/effect/Blocked.ts"
import { containers } from "../../../src/heap/effect/Containers.ts"
import { fibersOf } from "../../../src/heap/effect/Fibers.ts"
import type { HeapFiber } from "../../../src/heap/effect/Fibers.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { objectOf, snapshotOf, valueOf } from "./snapshotOf.ts"

const rows: ReadonlyArray<readonly [name: string, kind: string, size: number, bound: number, waiting?: number]> = [
  ["cache", "Cache", 12, 2000],
  ["deferred", "Deferred", 8, Infinity],
  ["fiberHandle", "FiberHandle", 1, Infinity],
  ["fiberMap", "FiberMap", 2, Infinity],
  ["fiberSet", "FiberSet", 3, Infinity],
  ["latch", "Latch", 1, Infinity],
  ["partitionedSemaphore", "PartitionedSemaphore", 3, 4],
  ["pool", "Pool", 5, 5, 0],
  ["pubsub", "PubSub", 4, 33],
  ["unboundedPubsub", "PubSub", 6, Infinity],
  ["queue", "Queue", 8, 77, 0],
  ["unboundedQueue", "Queue", 0, Infinity, 1],
  ["rcMap", "RcMap", 1, 12],
  ["scopedCache", "ScopedCache", 3, 2001],
  ["semaphore", "Semaphore", 2, 3, 1]
]

/** A version, the containers that are not known there, and the blocked fibers that are not proven there. */
const versions: ReadonlyArray<
  readonly [version: string, unknown: ReadonlyArray<string>, unproven: ReadonlyArray<string>]
> = [
  ["effect-4.0", [], []],
  ["effect-rc111", [], ["blocked with a child that ticks"]],
  ["effect-beta35", ["latch", "semaphore"], ["blocked with a child that ticks"]]
]

const below = (fiber: HeapFiber): ReadonlyArray<HeapFiber> => [fiber, ...fiber.children.flatMap(below)]

describe.each(versions)("under %s", (version, unknown, unproven) => {
  let each: HeapGraph
  let waiting: HeapGraph
  beforeAll(async () => {
    each = await snapshotOf("one-of-each", "numbers", version)
    waiting = await snapshotOf("waiting", "plain", version)
  }, 60_000)

  it("containers have their entries and their bounds", () => {
    const found = containers(each)
    const object = objectOf(each, "OneOfEach")
    const read = rows.map(([name]) => {
      const one = found.of(valueOf(each, object, name))
      return [name, one?.kind, one?.size, one?.bound, one?.waiting, one?.isExact]
    })
    expect(read).toEqual(rows.map(([name, kind, size, bound, waits]) =>
      unknown.includes(name)
        ? [name, undefined, undefined, undefined, undefined, undefined]
        : [name, kind, size, bound, waits, true]
    ))
  })

  it("blocked fibers are proven, and no fiber that something resumes is stuck", () => {
    const proof = blockedFibers(waiting)
    if (proof._tag === "Undecided") throw new Error(proof.reason)
    const all = fibersOf(waiting).roots.flatMap(below).map(({ name }) => name ?? "")
    const expected = all.filter((name) => name.startsWith("blocked") && !unproven.includes(name)).sort()
    expect(expected.length).toBeGreaterThan(18)
    expect(proof.blocked.map(({ name }) => name).sort()).toEqual(expected)
    const others = [...proof.held, ...proof.closing, ...proof.parked].map(({ name }) => name ?? "")
    expect(others.filter((name) => name.startsWith("resumed"))).toEqual([])
    expect(others.filter((name) => name.startsWith("blocked"))).toEqual(unproven)
  })
})
