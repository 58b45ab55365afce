/** The canary for the private fields of Effect: all of them are read from a snapshot of the installed version. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import type { EffectKind, EffectObjects } from "../../../src/heap/effect/EffectFields.ts"
import {
  containerFields,
  effectObjects,
  fiberFields,
  fiberLists,
  partitionedFields,
  queueFields,
  ringFields,
  scopeFields
} from "../../../src/heap/effect/EffectFields.ts"
import { contextOf, elementsOf, field, numberIn, tableOf, variables } from "../../../src/heap/effect/Values.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { objectOf, snapshotOf, valueOf } from "./snapshotOf.ts"

let graph: HeapGraph
let objects: EffectObjects
let each: number
beforeAll(async () => {
  graph = await snapshotOf("one-of-each", "numbers")
  objects = effectObjects(graph)
  each = objectOf(graph, "OneOfEach")
})

const nodeOf = (...names: ReadonlyArray<string>) => valueOf(graph, each, ...names)

const kinds: ReadonlyArray<readonly [name: string, kind: EffectKind]> = [
  ["cache", "Cache"],
  ["deferred", "Deferred"],
  ["running", "Fiber"],
  ["ended", "Fiber"],
  ["fiberHandle", "FiberHandle"],
  ["fiberMap", "FiberMap"],
  ["fiberSet", "FiberSet"],
  ["latch", "Latch"],
  ["partitionedSemaphore", "PartitionedSemaphore"],
  ["pool", "Pool"],
  ["pubsub", "PubSub"],
  ["queue", "Queue"],
  ["rcMap", "RcMap"],
  ["rcRef", "RcRef"],
  ["scope", "Scope"],
  ["scopedCache", "ScopedCache"],
  ["semaphore", "Semaphore"],
  ["subscription", "Subscription"]
]

describe("kinds", () => {
  it("knows one of each", () => {
    expect(kinds.map(([name]) => [name, objects.kindOf(nodeOf(name))])).toEqual(kinds)
  })

  it("does not take prototypes for objects", () => {
    const found = kinds.map(([, kind]) => [kind, objects.all(kind).length])
    expect(Object.fromEntries(found)).toMatchObject({
      Cache: 1,
      FiberMap: 1,
      FiberSet: 1,
      FiberHandle: 1,
      Queue: 2,
      RcMap: 1
    })
  })
})

describe("containers", () => {
  const sizes: ReadonlyArray<readonly [name: string, kind: EffectKind, size: number, bound: number | undefined]> = [
    ["cache", "Cache", 12, 2000],
    ["deferred", "Deferred", 8, undefined],
    ["fiberHandle", "FiberHandle", 1, undefined],
    ["fiberMap", "FiberMap", 2, undefined],
    ["fiberSet", "FiberSet", 3, undefined],
    ["pool", "Pool", 5, 5],
    ["rcMap", "RcMap", 1, 12],
    ["scopedCache", "ScopedCache", 3, 2001]
  ]

  it.each(sizes)("reads the entries and the bound of %s", (name, kind, size, bound) => {
    const { bound: path, entries } = containerFields[kind]!
    const node = nodeOf(name, ...entries!)
    expect(tableOf(graph, node)?.entries.length ?? elementsOf(graph, node).length).toBe(size)
    expect(path === undefined ? undefined : numberIn(graph, nodeOf(name), ...path)).toBe(bound)
  })

  it("reads the messages and the takers of a queue", () => {
    const { bound, size, waiting } = containerFields.Queue!
    expect(numberIn(graph, nodeOf("queue"), ...size!)).toBe(8)
    expect(numberIn(graph, nodeOf("queue"), ...bound!)).toBe(77)
    expect(numberIn(graph, nodeOf("unboundedQueue"), ...bound!)).toBe(Infinity)
    const sets = waiting!.map((path) => tableOf(graph, nodeOf("unboundedQueue", ...path))!.entries.length)
    expect(sets).toEqual([1, 0, 0])
    const bucket = nodeOf("queue", ...queueFields.head)
    expect(elementsOf(graph, valueOf(graph, bucket, queueFields.array)).length).toBe(9)
    expect(field(graph, bucket, queueFields.next)).toBeUndefined()
  })

  it("reads the ring and the list of a PubSub", () => {
    const { consumed, first, next, published, ring, subscribers } = ringFields
    const pubsub = nodeOf("pubsub")
    expect(elementsOf(graph, nodeOf("pubsub", ...ring)).length).toBe(33)
    expect(numberIn(graph, pubsub, ...containerFields.PubSub!.bound!)).toBe(33)
    expect(numberIn(graph, pubsub, ...published)! - numberIn(graph, pubsub, ...consumed)!).toBe(4)
    expect(tableOf(graph, nodeOf("pubsub", ...subscribers))).toBeDefined()
    let length = 0
    let at = field(graph, nodeOf("unboundedPubsub"), ...first)
    for (; at !== undefined; at = field(graph, at, next)) length++
    // The last one is the place for the next message.
    expect(length).toBe(7)
  })

  it("reads the permits and the waiting fibers of semaphores and latches", () => {
    const { bound, size, waiting } = containerFields.Semaphore!
    const semaphore = nodeOf("semaphore")
    expect([numberIn(graph, semaphore, ...size!), numberIn(graph, semaphore, ...bound!)]).toEqual([2, 3])
    expect(tableOf(graph, nodeOf("semaphore", ...waiting![0]!))!.entries.length).toBe(1)
    expect(elementsOf(graph, nodeOf("latch", ...containerFields.Latch!.entries!)).length).toBe(1)
    const partitioned = nodeOf("partitionedSemaphore")
    expect(numberIn(graph, partitioned, partitionedFields.bound)).toBe(4)
    const context = contextOf(graph, valueOf(graph, partitioned, partitionedFields.functionWithState))!
    expect(variables(graph, context).map(({ name }) => name)).toContain(partitionedFields.free)
  })
})

describe("fibers", () => {
  it("reads a fiber with its parent, children, names and scope", () => {
    const fiber = fiberFields(graph, nodeOf("parentOfTwo"))
    expect(fiber).toMatchObject({
      frames: ["inner", "a span", "outer"],
      span: "inner",
      scope: nodeOf("scope"),
      hasEnded: false,
      isRunning: false,
      isInterrupting: false
    })
    expect(fiber.id).toBeGreaterThan(0)
    expect(fiber.wake).toBeDefined()
    expect(fiber.stack.length).toBeGreaterThan(0)
    expect(fiber.children.length).toBe(2)
    for (const child of fiber.children) {
      expect(fiberFields(graph, child)).toMatchObject({
        frames: ["waits", "inner", "a span", "outer"],
        parent: nodeOf("parentOfTwo")
      })
    }
  })

  it("reads the states of fibers", () => {
    expect(fiberFields(graph, nodeOf("running"))).toMatchObject({ isRunning: true, hasEnded: false, wake: undefined })
    expect(fiberFields(graph, nodeOf("ended"))).toMatchObject({ isRunning: false, hasEnded: true, wake: undefined })
    expect(fiberFields(graph, nodeOf("yields"))).toMatchObject({ isRunning: false, hasEnded: false })
    expect(fiberFields(graph, nodeOf("yields")).wake).toBeDefined()
  })

  it("finds the lists of fibers of each container", () => {
    const all = (["fiberHandle", "fiberMap", "fiberSet"] as const).map((name) => {
      const node = nodeOf(name)
      const kind = objects.kindOf(node) as "FiberHandle" | "FiberMap" | "FiberSet"
      const fibers = new Set<number>()
      for (const list of fiberLists(graph, node, kind)) {
        for (let edge = graph.firstEdge[list]!; edge < graph.firstEdge[list + 1]!; edge++) {
          if (objects.kindOf(graph.target[edge]!) === "Fiber") fibers.add(graph.target[edge]!)
        }
      }
      return [name, fibers.size]
    })
    expect(Object.fromEntries(all)).toEqual({ fiberHandle: 1, fiberMap: 2, fiberSet: 3 })
  })
})

describe("scopes", () => {
  it("reads the finalizers of a scope", () => {
    const scope = scopeFields(graph, nodeOf("scope"))
    expect(scope).toMatchObject({ isClosed: false })
    expect(scope.finalizers.length).toBeGreaterThanOrEqual(9)
    expect(scope.finalizers.every(({ key, value }) => key !== undefined && value !== undefined)).toBe(true)
  })
})
