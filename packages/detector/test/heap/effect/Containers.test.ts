/** Entries and bounds of containers, read from a snapshot of a program that has one of each. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { containers } from "../../../src/heap/effect/Containers.ts"
import type { Containers } from "../../../src/heap/effect/Containers.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { objectOf, snapshotOf, valueOf } from "./snapshotOf.ts"

type Row = readonly [name: string, kind: string, size: number, bound: number | undefined]

/** Reads the containers in the fields of the only object of a class. */
const fieldsOf = (program: string, name: string, numbers: "numbers" | "plain") => {
  let graph: HeapGraph
  let found: Containers
  let object: number
  beforeAll(async () => {
    graph = await snapshotOf(program, numbers)
    found = containers(graph)
    object = objectOf(graph, name)
  })
  return {
    all: () => found.all(0),
    node: (...path: ReadonlyArray<string>) => valueOf(graph, object, ...path),
    of: (...path: ReadonlyArray<string>) => found.of(valueOf(graph, object, ...path)),
    at: (node: number) => found.of(node)
  }
}

describe("Effect's containers", () => {
  const { of } = fieldsOf("one-of-each", "OneOfEach", "numbers")

  const rows: ReadonlyArray<Row> = [
    ["cache", "Cache", 12, 2000],
    ["deferred", "Deferred", 8, Infinity],
    ["fiberHandle", "FiberHandle", 1, Infinity],
    ["fiberMap", "FiberMap", 2, Infinity],
    ["fiberSet", "FiberSet", 3, Infinity],
    ["latch", "Latch", 1, Infinity],
    ["partitionedSemaphore", "PartitionedSemaphore", 3, 4],
    ["pool", "Pool", 5, 5],
    ["pubsub", "PubSub", 4, 33],
    ["unboundedPubsub", "PubSub", 6, Infinity],
    ["queue", "Queue", 8, 77],
    ["unboundedQueue", "Queue", 0, Infinity],
    ["rcMap", "RcMap", 1, 12],
    ["scopedCache", "ScopedCache", 3, 2001],
    ["semaphore", "Semaphore", 2, 3]
  ]

  it.each(rows)("%s has its entries and its bound", (name, kind, size, bound) => {
    expect(of(name)).toMatchObject({ kind, size, bound, isExact: true })
  })

  it("have fibers that wait for them", () => {
    expect(of("semaphore")).toMatchObject({ waiting: 1 })
    expect(of("unboundedQueue")).toMatchObject({ waiting: 1 })
    expect(of("cache")?.waiting).toBeUndefined()
  })

  it("are found by the objects of which they are made", () => {
    expect(of("cache", "map", "backing")).toEqual(of("cache"))
    expect(of("queue", "messages", "head", "array")).toEqual(of("queue"))
    expect(of("pool", "state", "items")).toEqual(of("pool"))
    expect(of("scope", "state", "finalizers")).toEqual(of("scope"))
  })
})

describe("other containers", () => {
  const { all, node, of } = fieldsOf("containers", "Containers", "numbers")

  const rows: ReadonlyArray<Row> = [
    ...["lru", "rawLru"].flatMap((name): ReadonlyArray<Row> => [
      [name, "LRUCache", 9, 50],
      [`${name}OfNumbers`, "LRUCache", 51, 51],
      [`${name}BySize`, "LRUCache", 80, 500],
      [`${name}ByTime`, "LRUCache", 7, Infinity]
    ]),
    ["map", "Map", 15, Infinity],
    ["set", "Set", 17, Infinity],
    ["array", "Array", 33, Infinity],
    ["dictionary", "Object", 64, Infinity],
    ["unboundedCache", "Cache", 21, Infinity],
    ["keyedCache", "Cache", 21, 40],
    ["sliding", "Queue", 8, 8],
    ["dropping", "Queue", 9, 9],
    ["unboundedQueue", "Queue", 23, Infinity],
    ["queueOfNumbers", "Queue", 7, 7],
    ["unboundedPubSub", "PubSub", 0, Infinity],
    ["ring", "PubSub", 0, 32],
    ["fibers", "FiberSet", 19, Infinity],
    ["rcMap", "RcMap", 3, Infinity]
  ]

  it.each(rows)("%s has its entries and its bound", (name, kind, size, bound) => {
    expect(of(name)).toMatchObject({ kind, size, bound, isExact: true })
  })

  it("count the listeners of each event, and those of a signal", () => {
    expect(of("emitter")).toMatchObject({
      kind: "EventEmitter",
      size: 13,
      parts: [{ name: "many", size: 12 }, { name: "one", size: 1 }]
    })
    expect(of("controller", "#signal")).toMatchObject({ kind: "EventTarget", size: 5 })
  })

  it("count the timers of a list", () => {
    expect(all().filter(({ kind }) => kind === "Timers").map(({ size }) => size)).toContain(6)
  })

  it("count the sockets of an agent, and the requests that wait for one", () => {
    expect(of("agent")).toMatchObject({
      kind: "HttpAgent",
      size: 2,
      bound: 20,
      waiting: 3,
      parts: [{ name: "sockets", size: 2, bound: 2 }, { name: "freeSockets", size: 0, bound: 3 }, {
        name: "requests",
        size: 3
      }]
    })
  })

  it("show at least how many integers a collection has", () => {
    for (const [name, size] of [["mapOfNumbers", 100], ["arrayOfNumbers", 1000]] as const) {
      const one = of(name)!
      expect(one.isExact).toBe(false)
      expect(one.size).toBeGreaterThan(size / 8)
      expect(one.size).toBeLessThanOrEqual(size)
    }
  })

  it("are listed without the objects of which they are made", () => {
    const nodes = all().map((one) => one.node)
    expect(nodes).toContain(node("keyedCache"))
    expect(nodes).not.toContain(node("keyedCache", "map", "backing"))
    expect(nodes).not.toContain(node("emitter", "_events", "many"))
    expect(new Set(nodes).size).toBe(nodes.length)
  })
})

describe("a snapshot without numbers", () => {
  const { of } = fieldsOf("containers", "Containers", "plain")

  it("shows entries, and no bound that is a small integer", () => {
    expect(of("lru")).toMatchObject({ size: 9 })
    expect(of("lru")?.bound).toBeUndefined()
    expect(of("keyedCache")).toMatchObject({ size: 21 })
    expect(of("keyedCache")?.bound).toBeUndefined()
    expect(of("sliding")).toMatchObject({ size: 8, isExact: false })
    expect(of("sliding")?.bound).toBeUndefined()
    expect(of("ring")).toMatchObject({ bound: 32 })
  })
})

describe("a version of effect that has other fields", () => {
  it("has containers whose size is not known", async () => {
    const graph = await snapshotOf("one-of-each", "numbers")
    const object = objectOf(graph, "OneOfEach")
    const backing = graph.strings.find("backing")!
    const edgeName = graph.edgeName.map((name) => name === backing ? 0 : name)
    const found = containers({ ...graph, edgeName })
    for (const name of ["cache", "rcMap", "fiberMap"]) {
      expect(found.of(valueOf(graph, object, name))).toMatchObject({ size: 0, isExact: false })
    }
    expect(found.of(valueOf(graph, object, "deferred"))).toMatchObject({ size: 8, isExact: true })
  })
})
