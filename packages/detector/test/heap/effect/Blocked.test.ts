/** Fibers that are blocked forever, and those that only look like it, in a program with each kind of wait. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { blockedFibers } from "../../../src/heap/effect/Blocked.ts"
import type { Proof, StuckFiber } from "../../../src/heap/effect/Blocked.ts"
import { controlsOf } from "../../../src/heap/effect/Controls.ts"
import { fiberFields } from "../../../src/heap/effect/EffectFields.ts"
import { fibersOf } from "../../../src/heap/effect/Fibers.ts"
import type { HeapFiber } from "../../../src/heap/effect/Fibers.ts"
import { field } from "../../../src/heap/effect/Values.ts"
import { edgeNameOf, edgeType } from "../../../src/heap/HeapGraph.ts"
import type { HeapGraph } from "../../../src/heap/HeapGraph.ts"
import { snapshotOf, snapshotOfCorpus } from "./snapshotOf.ts"

const proofOf = (graph: HeapGraph): Proof => {
  const found = blockedFibers(graph)
  if (found._tag === "Undecided") throw new Error(found.reason)
  return found
}

const namesOf = (fibers: ReadonlyArray<StuckFiber>): ReadonlyArray<string> =>
  fibers.map(({ name }) => name ?? "").sort()

const allOf = (graph: HeapGraph): ReadonlyArray<HeapFiber> => {
  const below = (fiber: HeapFiber): ReadonlyArray<HeapFiber> => [fiber, ...fiber.children.flatMap(below)]
  return fibersOf(graph).roots.flatMap(below)
}

/** The snapshot as it would be if some references were weak. */
const weakened = (graph: HeapGraph, isWeak: (edge: number, from: number) => boolean): HeapGraph => {
  const edgeTypes = graph.edgeType.slice()
  for (let node = 0; node < graph.nodes; node++) {
    for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
      if (isWeak(edge, node)) edgeTypes[edge] = edgeType(graph, "weak")
    }
  }
  return { ...graph, edgeType: edgeTypes }
}

describe("a program with each kind of wait", () => {
  let graph: HeapGraph
  let proof: Proof
  let all: ReadonlyArray<string>
  beforeAll(async () => {
    graph = await snapshotOf("waiting")
    proof = proofOf(graph)
    all = allOf(graph).map(({ name }) => name ?? "")
  })

  const startingWith = (word: string) => all.filter((name) => name.startsWith(word)).sort()

  it("has fibers that are blocked: each that should be, and no other one", () => {
    expect(startingWith("blocked").length).toBe(22)
    expect(namesOf(proof.blocked)).toEqual(startingWith("blocked"))
  })

  it("has no fiber that something resumes among those that are stuck", () => {
    expect(startingWith("resumed").length).toBeGreaterThan(30)
    const stuck = [...proof.blocked, ...proof.held, ...proof.closing, ...proof.parked]
    expect(namesOf(stuck).filter((name) => name.startsWith("resumed"))).toEqual([])
  })

  it("has fibers that code holds, that a finalizer resumes, and that wait on purpose", () => {
    expect(namesOf(proof.held)).toEqual(startingWith("held"))
    expect(namesOf(proof.closing)).toEqual(startingWith("closing"))
    expect(namesOf(proof.parked)).toEqual(startingWith("parked"))
    expect([proof.held.length, proof.closing.length, proof.parked.length]).toEqual([3, 1, 4])
  })

  it("has no controls", () => {
    expect(proof.controls).toBe("absent")
    expect(proof.alive).toBe(all.length)
  })

  it("is undecided where a timer does not seem to resume its fiber", () => {
    const wrong = weakened(graph, (edge) => edgeNameOf(graph, edge) === "_onTimeout")
    expect(blockedFibers(wrong)).toEqual({
      _tag: "Undecided",
      reason: "a fiber that waits for a timer came out as blocked"
    })
  })

  it("is undecided where fibers have other fields", () => {
    const wrong = weakened(graph, (edge) => edgeNameOf(graph, edge) === "_yielded")
    expect(blockedFibers(wrong)).toEqual({
      _tag: "Undecided",
      reason: "fibers have no `_yielded`: this version of effect cannot be read"
    })
  })
})

describe("a program that is observed", () => {
  let graph: HeapGraph
  beforeAll(async () => {
    graph = await snapshotOf("observed")
  })

  it("has blocked fibers, although the census, a TaskManager and its handles list them", () => {
    const proof = proofOf(graph)
    expect(namesOf(proof.blocked)).toEqual(["blocked in a task"])
    expect(allOf(graph).map(({ name }) => name)).toContain("resumed in a task")
  })

  it("has planted controls, which are not counted", () => {
    const proof = proofOf(graph)
    expect(proof.controls).toBe("planted")
    expect(proof.alive).toBe(allOf(graph).length - 2)
  })

  it("is undecided where the control that waits for a timer seems to be blocked", () => {
    const [{ waiting }] = controlsOf(graph) as [{ waiting: number; blocked: number }]
    const { wake } = fiberFields(graph, waiting)
    const own = field(graph, waiting, "_yielded")
    const wrong = weakened(graph, (edge, from) => graph.target[edge] === wake && from !== own)
    expect(blockedFibers(wrong)).toEqual({
      _tag: "Undecided",
      reason: "the control that waits for a timer came out as blocked"
    })
  })

  it("is undecided where the control that is blocked seems to be resumed", () => {
    const [{ blocked }] = controlsOf(graph) as [{ waiting: number; blocked: number }]
    const { wake } = fiberFields(graph, blocked)
    const target = graph.target.slice()
    // The first root now leads to its callback.
    target[graph.firstEdge[graph.target[0]!]!] = wake!
    expect(blockedFibers({ ...graph, target })).toEqual({
      _tag: "Undecided",
      reason: "the control that is blocked did not come out as blocked"
    })
  })
})

describe("programs of the corpus", () => {
  it.each(["third/device-acks/clean.ts", "second/chat-longpoll/clean.ts", "fourth/config-watchers/clean.ts"])(
    "%s has no blocked fiber",
    async (name) => {
      const proof = proofOf(await snapshotOfCorpus(name))
      expect(proof.alive).toBeGreaterThan(3)
      expect(namesOf(proof.blocked)).toEqual([])
    },
    30_000
  )

  it("third/device-acks/leak.ts has fibers that wait for an answer that no one sends", async () => {
    const { blocked } = proofOf(await snapshotOfCorpus("third/device-acks/leak.ts"))
    // Their number depends on how fast the machine is.
    expect(blocked.length).toBeGreaterThan(0)
    expect(new Set(namesOf(blocked))).toEqual(new Set(["Gateway.acknowledged"]))
    expect(blocked.some(({ waitsFor }) => waitsFor.place?.file.includes("device-acks"))).toBe(true)
  }, 30_000)
})
