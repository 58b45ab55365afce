import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { dominatorsOf } from "../../src/heap/Dominators.ts"
import type { HeapGraph } from "../../src/heap/HeapGraph.ts"
import { ownSizes } from "../../src/heap/ownSizes.ts"
import { readSnapshot } from "../../src/heap/readSnapshot.ts"
import { fixture } from "../support/Fiberscope.ts"
import type { Random } from "../support/random.ts"
import { random, seeds } from "../support/random.ts"
import type { Described, Edge, Node } from "../support/snapshots.ts"
import { entryOfWeakMap, graphFrom, graphOf, randomHeap, snapshotText } from "../support/snapshots.ts"
import type { Judged } from "../support/toolkit.ts"
import { judgeFile, judgeText } from "../support/toolkit.ts"

const object = (size: number, ...edges: ReadonlyArray<Edge>): Node => ({ size, edges })

/** A heap below the global object, whose number is 2. */
const program = (...nodes: ReadonlyArray<Node>): Described => ({
  nodes: [
    { type: "synthetic", edges: [["element", 1, 1], ["shortcut", "global", 2]] },
    { type: "synthetic", name: "(GC roots)", edges: [["element", 0, 2]] },
    ...nodes
  ]
})

const to = (node: number, type = "property"): Edge => [type, "to", node]

/** The dominators and retained sizes of the nodes from the global object on. */
const found = (described: Described) => {
  const { dominator, retainedSize } = dominatorsOf(graphFrom(described))
  return { dominator: Array.from(dominator.subarray(2)), retained: Array.from(retainedSize.subarray(2)) }
}

/** Which nodes the root reaches, without one. */
const reachable = (next: ReadonlyArray<ReadonlyArray<number>>, without: number): ReadonlySet<number> => {
  const seen = new Set([0])
  for (const node of seen) for (const one of next[node]!) if (one !== without) seen.add(one)
  return seen
}

/**
 * The definition: a node dominates all that cannot be reached without it. The immediate dominator is the last one on the way. The root also
 * leads to what nothing retains.
 */
const byDefinition = (edges: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => {
  const retained = new Set(edges.flatMap((ones, node) => ones.filter((one) => one !== node)))
  const next = edges.with(0, [...edges[0]!, ...edges.keys().filter((node) => node !== 0 && !retained.has(node))])
  const all = reachable(next, -1)
  const dominated = next.map((_, node) =>
    node === 0 ? all : new Set([...all].filter((one) => one !== node && !reachable(next, node).has(one)))
  )
  return next.map((_, node) => {
    if (node === 0 || !all.has(node)) return 0
    const above = next.map((_, one) => one).filter((one) => one !== node && dominated[one]!.has(node))
    return above.reduce((last, one) => dominated[last]!.has(one) ? one : last, 0)
  })
}

const randomEdges = ({ integer, next }: Random): ReadonlyArray<ReadonlyArray<number>> => {
  const count = integer(1, 14)
  const likely = (1 + 2 * next()) / count
  return Array.from(
    { length: count },
    () => Array.from({ length: count }, (_, node) => node).filter(() => next() < likely)
  )
}

const plain = (next: ReadonlyArray<ReadonlyArray<number>>): HeapGraph =>
  graphFrom({ nodes: next.map((ones) => object(1, ...ones.map((one) => to(one)))) })

/** Equal as numbers, without a text of each where there are many. */
const assertEqual = (ours: ArrayLike<number>, theirs: ArrayLike<number>, what: string): void => {
  assert.strictEqual(ours.length, theirs.length, what)
  for (let i = 0; i < ours.length; i++) {
    if (ours[i] !== theirs[i]) assert.fail(`${what}: ${ours[i]} and not ${theirs[i]} for node ${i}`)
  }
}

const assertAlike = (graph: HeapGraph, theirs: Judged, what: string): void => {
  assertEqual(ownSizes(graph), theirs.ownSize, `own sizes, ${what}`)
  const { dominator, retainedSize } = dominatorsOf(graph)
  assertEqual(dominator, theirs.dominator, `dominators, ${what}`)
  assertEqual(retainedSize, theirs.retainedSize, `retained sizes, ${what}`)
}

const milliseconds = (run: () => void): number => {
  const before = process.cpuUsage()
  run()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1000
}

describe("Dominators", () => {
  it("follows the definition in small random graphs", () => {
    for (const seed of seeds(3000)) {
      const next = randomEdges(random(seed))
      assert.deepStrictEqual(Array.from(dominatorsOf(plain(next)).dominator), byDefinition(next), `seed ${seed}`)
    }
  })

  it("sums up what each node dominates", () => {
    for (const seed of seeds(300)) {
      const { dominator, retainedSize } = dominatorsOf(plain(randomEdges(random(seed))))
      const sums = new Array<number>(dominator.length).fill(0)
      for (let node = 0; node < dominator.length; node++) {
        let above = node
        for (; above !== 0; above = dominator[above]!) sums[above]!++
        sums[0]!++
      }
      assert.deepStrictEqual(Array.from(retainedSize), sums, `seed ${seed}`)
    }
  })

  it("agrees with DevTools on random heaps", async () => {
    for (const seed of seeds(400)) {
      const text = snapshotText(randomHeap(random(seed), seed % 4 === 0 ? 200 : 25))
      assertAlike(graphOf(text), await judgeText(text), `seed ${seed}`)
    }
  })

  it.each(["heap-effect.mjs", "heap-weak.mjs", "heap-growth.mjs"])(
    "agrees with DevTools on a snapshot of %s",
    { timeout: 60_000 },
    async (program) => {
      const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
      try {
        const file = join(folder, "1.heapsnapshot")
        execFileSync(process.execPath, [fixture(program), file])
        const graph = await Effect.runPromise(readSnapshot(file))
        assert.isAbove(graph.nodes, 10_000)
        assertAlike(graph, await judgeFile(file), program)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  )

  it("gives a shared object to what both of its owners hang on", () =>
    assert.deepStrictEqual(
      found(program(object(1, to(3), to(4)), object(10, to(5)), object(20, to(5)), object(100))),
      { dominator: [0, 2, 2, 2], retained: [131, 10, 20, 100] }
    ))

  it.each(["weak", "shortcut"])("does not follow %s edges", (type) =>
    assert.deepStrictEqual(
      found(program(object(1, to(3)), object(10, to(4), to(5)), object(100), object(5, to(4, type)))),
      { dominator: [0, 2, 3, 3], retained: [116, 115, 100, 5] }
    ))

  it("gives the value of a WeakMap to its key", () => {
    const { fromKey, fromTable } = entryOfWeakMap(3, 5, 4)
    assert.deepStrictEqual(
      found(program(object(1, to(3), to(4)), object(10, fromKey), object(20, fromTable), object(100))),
      { dominator: [0, 2, 2, 3], retained: [131, 110, 20, 100] }
    )
  })

  it("gives an array to the object that alone has it, and what is in the array too", () =>
    assert.deepStrictEqual(
      found(program(
        object(1, to(3), to(4)),
        object(10, to(5, "internal")),
        object(20),
        { type: "array", size: 100, edges: [["element", 0, 6]] },
        object(1000)
      )),
      { dominator: [0, 2, 2, 3, 5], retained: [1131, 1110, 20, 1000, 1000] }
    ))

  it("leaves an array alone that several objects have", () =>
    assert.deepStrictEqual(
      found(program(object(1, to(3), to(4)), object(10, to(5)), object(20, to(5)), { type: "array", size: 100 })),
      { dominator: [0, 2, 2, 2], retained: [131, 10, 20, 100] }
    ))

  it("takes internals of V8 that lead to an object for no retainer of it", () =>
    assert.deepStrictEqual(
      dominatorsOf(graphFrom({
        nodes: [
          { type: "synthetic", edges: [["element", 1, 1], ["shortcut", "global", 2]] },
          { type: "synthetic", name: "(GC roots)", edges: [["element", 0, 4]] },
          object(1, to(3)),
          object(2),
          { type: "code", edges: [["internal", "cache", 3]] }
        ]
      })).dominator,
      Uint32Array.of(0, 0, 0, 2, 1)
    ))

  it("puts what nothing reaches below the root", () =>
    assert.deepStrictEqual(found(program(object(1), object(10, to(4)), object(20, to(5)), object(40, to(4)))), {
      dominator: [0, 0, 3, 4],
      retained: [1, 70, 60, 40]
    }))

  it("knows objects of more than 4 GB", () =>
    assert.deepStrictEqual(found(program(object(1, to(3)), object(5_000_000_000, to(4)), object(5_000_000_000))), {
      dominator: [0, 2, 3],
      retained: [10_000_000_001, 10_000_000_000, 5_000_000_000]
    }))

  it("needs no quadratic time for a list of 300 000 links, whose last one leads to much that is also known elsewhere", () => {
    const links = 300_000
    const both = 100_000
    const first = 4
    const known = Array.from({ length: both }, (_, i) => to(first + links + i))
    const graph = graphFrom({
      nodes: [
        // The list is visited first, so that the last link is the parent of all that both know.
        program(object(1, to(first), to(3)), object(1, ...known)).nodes,
        Array.from({ length: links }, (_, i) =>
          object(
            1,
            ...(i < links - 1 ? [to(first + i + 1)] : known),
            ...(i > 0 && i < links - 1 ? [to(first + i - 1)] : [])
          )),
        Array.from({ length: both }, () => object(1))
      ].flat()
    })
    let retained: Float64Array | undefined
    // A step for each link above a vertex would take half an hour.
    assert.isBelow(milliseconds(() => retained = dominatorsOf(graph).retainedSize), 10_000)
    assert.strictEqual(retained![first], links)
    assert.strictEqual(retained![2], 2 + links + both)
  })
})
