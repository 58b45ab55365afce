/** The dump of fibers: a tree with names, places and waits. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { fibersOf, scopesOf } from "../../../src/heap/effect/Fibers.ts"
import type { FiberDump, HeapFiber } from "../../../src/heap/effect/Fibers.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { objectOf, snapshotOf, valueOf } from "./snapshotOf.ts"

const below = (fiber: HeapFiber): ReadonlyArray<HeapFiber> => [fiber, ...fiber.children.flatMap(below)]

describe("a program with each kind of wait", () => {
  let dump: FiberDump
  let all: ReadonlyArray<HeapFiber>
  beforeAll(async () => {
    dump = fibersOf(await snapshotOf("waiting"))
    all = dump.roots.flatMap(below)
  })

  const fiber = (name: string): HeapFiber => {
    const found = all.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no fiber ${name}`)
    return found
  }

  it.each([
    ["blocked in a scope", "deferred"],
    ["blocked on an empty queue", "queue"],
    ["blocked on a full queue", "queue"],
    ["blocked on a latch", "latch"],
    ["blocked on a semaphore", "semaphore"],
    ["blocked on a promise", "promise"],
    ["blocked on one that is blocked", "fiber"],
    ["blocked on all of several", "fibers"],
    ["resumed by a timer", "timer"],
    ["resumed by a stream", "queue"],
    ["resumed by an item", "pool"],
    ["resumed by a permit", "semaphore"],
    ["resumed by an event", "unknown"],
    ["parked", "nothing"]
  ])("%s waits for a %s", (name, kind) => {
    expect(fiber(name)).toMatchObject({ status: "suspended", waitsFor: { kind } })
  })

  it("has a fiber that waits for its turn", () => {
    expect(fiber("resumed in turns")).toMatchObject({ status: "ready", waitsFor: undefined })
  })

  it("is a tree: children stand below their parents, and each fiber once", () => {
    const children = (name: string) => fiber(name).children.map((one) => one.name)
    expect(children("resumed as a parent")).toEqual(["blocked as a child of one that ticks"])
    expect(children("parked on another one")).toEqual(["parked as a child"])
    expect(dump.roots.map(({ name }) => name)).not.toContain("parked as a child")
    expect(new Set(all.map(({ node }) => node)).size).toBe(all.length)
    expect(dump.alive).toBe(all.length)
  })

  it("has the place of the innermost function of the program", () => {
    const { place } = fiber("blocked in a generator")
    expect(place?.file).toMatch(/waiting\.mjs$/)
    expect(place?.line).toBeGreaterThan(1)
  })
})

describe("a program with one of each", () => {
  let graph: HeapGraph
  let all: ReadonlyArray<HeapFiber>
  beforeAll(async () => {
    graph = await snapshotOf("one-of-each", "numbers")
    all = fibersOf(graph).roots.flatMap(below)
  })

  it("has a fiber with its frames, its span, its id and the finalizers of its scope", () => {
    const fiber = all.find(({ name, children }) => name === "inner" && children.length === 2)
    expect(fiber).toMatchObject({ frames: ["inner", "a span", "outer"], span: "inner", status: "suspended" })
    expect(fiber!.id).toBeGreaterThan(0)
    expect(fiber!.finalizers).toBeGreaterThanOrEqual(9)
    expect(fiber!.children.map(({ name, waitsFor }) => [name, waitsFor?.kind])).toEqual([
      ["waits", "deferred"],
      ["waits", "deferred"]
    ])
  })

  it("has the fiber that runs, and counts those that have ended", () => {
    expect(all.filter(({ status }) => status === "running").length).toBe(1)
    expect(fibersOf(graph).ended).toBeGreaterThan(0)
  })

  it("has its scopes by finalizers, the most first, without those that have none", () => {
    const scopes = scopesOf(graph)
    expect(scopes.map(({ finalizers }) => finalizers)).toEqual(
      scopes.map(({ finalizers }) => finalizers).toSorted((a, b) => b - a)
    )
    expect(scopes.every(({ finalizers }) => finalizers > 0)).toBe(true)
    const own = scopes.find(({ node }) => node === valueOf(graph, objectOf(graph, "OneOfEach"), "scope"))
    expect(own!.finalizers).toBeGreaterThanOrEqual(9)
  })
})
