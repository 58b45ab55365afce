/** Damaged snapshots: each step of the reader and of the analyses gives a result or a SnapshotError, soon and without much memory. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { dominatorsOf } from "../../src/heap/Dominators.ts"
import { censusOf, growingPaths, signAs } from "../../src/heap/Growth.ts"
import type { HeapGraph } from "../../src/heap/HeapGraph.ts"
import { shortestPaths } from "../../src/heap/ShortestPaths.ts"
import { mostSignatures, SignatureTree } from "../../src/heap/Signatures.ts"
import type { Step } from "../../src/heap/Signatures.ts"
import { SnapshotError } from "../../src/heap/SnapshotError.ts"
import { makeSnapshotReader } from "../../src/heap/SnapshotReader.ts"
import { damages } from "../support/damage.ts"
import { fixture } from "../support/Fiberscope.ts"
import { random, seeds } from "../support/random.ts"
import type { Described, Edge, Node } from "../support/snapshots.ts"
import { describeGraph, graphFrom, graphOf, partsOf, randomHeap, sectionsOf, textOf } from "../support/snapshots.ts"

/** The text of a snapshot of a program, as V8 wrote it. */
const realText = (): Buffer => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
  try {
    const file = join(folder, "1.heapsnapshot")
    execFileSync(process.execPath, [fixture("heap-weak.mjs"), file])
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The part of a heap that is nearest to its root. */
const nearest = (graph: HeapGraph, count: number): Described => {
  const { nodes } = describeGraph(graph)
  const chosen = shortestPaths(graph).order.slice(0, count)
  const numbers = new Map(Array.from(chosen, (node, i) => [node, i]))
  return {
    nodes: Array.from(chosen, (node) => ({
      ...nodes[node]!,
      edges: nodes[node]!.edges!.flatMap(([type, name, to]) =>
        numbers.has(to)
          ? [[
            type,
            type === "element" || type === "hidden" ? Number(String(name).slice(1, -1)) : name,
            numbers.get(to)!
          ]]
          : []
      )
    }))
  }
}

const arraysOf = (graph: HeapGraph): number =>
  Object.values(graph).reduce((sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0), 0)

const read = (bytes: Uint8Array, announced: number): HeapGraph | undefined => {
  try {
    const reader = makeSnapshotReader(announced)
    reader.take(bytes)
    return reader.end()
  } catch (error) {
    if (error instanceof SnapshotError) return undefined
    throw error
  }
}

/** What all analyses rely on. */
const assertSound = (graph: HeapGraph): void => {
  const { edges, firstEdge, locations, nodes } = graph
  const most = (values: ArrayLike<number>, count: number): number => {
    let highest = -1
    for (let i = 0; i < count; i++) highest = Math.max(highest, values[i]!)
    return highest
  }
  for (let node = 0; node < nodes; node++) assert.isAtMost(firstEdge[node]!, firstEdge[node + 1]!)
  assert.deepStrictEqual([firstEdge[0], firstEdge[nodes]], [0, edges])
  assert.isBelow(most(graph.target, edges), nodes)
  assert.isBelow(most(graph.type, nodes), graph.nodeTypes.size)
  assert.isBelow(most(graph.edgeType, edges), graph.edgeTypes.size)
  assert.isBelow(most(graph.name, nodes), graph.strings.size)
  for (let i = 0; i < locations.length; i += 4) assert.isTrue(locations[i]! >= 0 && locations[i]! < nodes)
}

/** Everything that is done with a snapshot, for one of a process that has an intact one too. */
const analyse = (graph: HeapGraph, intact: HeapGraph): void => {
  shortestPaths(graph)
  dominatorsOf(graph)
  for (const [before, after] of [[graph, intact], [intact, graph]] as const) {
    const tree = new SignatureTree()
    const newest = censusOf(after, signAs(after, tree))
    growingPaths([censusOf(before, signAs(before, tree, newest)), newest], 20)
  }
}

/** Fails where it takes more than so many milliseconds, or throws, and says with what. */
const within = (most: number, what: string, run: () => void): void => {
  const start = performance.now()
  try {
    run()
  } catch (error) {
    throw new Error(what, { cause: error })
  }
  assert.isBelow(performance.now() - start, most, what)
}

/** Room for rows, strings and numbers that are parsed, which does not depend on the text. */
const room = 4 << 20

describe("a damaged snapshot", () => {
  const text = realText()
  const real = graphOf(text)
  const kinds = Object.keys(damages)
  const heaps = [nearest(real, 150), nearest(real, 30), ...[1, 4, 9].map((seed) => randomHeap(random(seed), 60))]
  const graphs = heaps.map(graphFrom)

  it("gives a result or an error: 2 000 snapshots with damage of each kind", { timeout: 60_000 }, () => {
    const found = { results: 0, errors: 0 }
    for (const seed of seeds(2000)) {
      const chance = random(seed)
      const kind = kinds[seed % kinds.length]!
      const at = chance.integer(0, heaps.length - 1)
      const bytes = damages[kind]!(heaps[at]!, chance)
      const what = `${kind}, seed ${seed}`
      const before = process.memoryUsage().arrayBuffers
      within(2000, what, () => {
        const graph = read(bytes, chance.pick([0, bytes.length]))
        assert.isBelow(process.memoryUsage().arrayBuffers - before, room + 8 * bytes.length, what)
        if (graph === undefined) found.errors++
        else {
          found.results++
          assert.isBelow(arraysOf(graph), room + 4 * bytes.length, what)
          assertSound(graph)
          analyse(graph, graphs[at]!)
        }
      })
    }
    // Both are tried: damage that is found, and damage that a reader cannot know.
    assert.isAbove(found.results, 500)
    assert.isAbove(found.errors, 500)
  })

  it("gives a result or an error: bytes of a whole snapshot changed", () => {
    for (const seed of seeds(12)) {
      const { integer } = random(seed)
      const bytes = Buffer.from(text)
      for (let i = integer(1, 3); i > 0; i--) bytes[integer(0, bytes.length - 1)] = integer(0x30, 0x39)
      within(4000, `seed ${seed}`, () => {
        const graph = read(bytes, bytes.length)
        if (graph !== undefined) analyse(graph, real)
      })
    }
  })

  const object = (name: string, size: number, ...edges: ReadonlyArray<Edge>): Node => ({ name, size, edges })
  const below = (nodes: ReadonlyArray<Node>, ...edges: ReadonlyArray<Edge>): HeapGraph =>
    graphFrom({ nodes: [{ type: "synthetic", edges }, ...nodes] })

  it("needs no quadratic time and memory for a chain of classes that all become larger", () => {
    const links = 30_000
    const chain = (size: number): HeapGraph =>
      below(
        Array.from({ length: links }, (_, i) =>
          object(`C${i.toString(36)}`, size, ...(i < links - 1 ? [["property", "next", i + 2] as const] : []))),
        ["property", "first", 1]
      )
    const [before, after] = [chain(0), chain(100_000)]
    within(4000, "chain", () => analyse(before, after))
  })

  it("reads a long name once, and not for each node that has it", () => {
    const count = 20_000
    const name = "(x)".repeat(100_000)
    const edges = Array.from({ length: count }, (_, i): Edge => ["element", i, i + 1])
    for (const type of ["synthetic", "closure", "object"]) {
      const nodes = Array.from({ length: count }, () => ({ type, name }))
      const graph = below(nodes, ...edges)
      within(2000, type, () => analyse(graph, graph))
    }
  })

  it("needs no quadratic time for a name that looks like many entries of a WeakMap", () => {
    const name = `1 / part of key (${"a @1) -> value (".repeat(20_000)}WeakMap`
    const graph = below([object("A", 1, ["internal", name, 0])], ["internal", name, 1])
    within(2000, "name", () => analyse(graph, graph))
  })

  it("counts for what is above it what is too much for the tree of signatures", () => {
    const tree = new SignatureTree()
    const step: Step = { edge: "", node: "", kind: "object" }
    for (let label = 0; tree.size < mostSignatures; label++) tree.add(0, label, 0, step)
    assert.strictEqual(tree.add(1, 0, 0, step), 1)
    assert.strictEqual(tree.below(0, 1, false), 2)
    assert.strictEqual(tree.size, mostSignatures)
  })

  it("refuses types that are lists in lists", () => {
    const parts = partsOf(heaps[0]!)
    const text = textOf(sectionsOf(parts)).replace("\"hidden\"", `${"[".repeat(200_000)}${"]".repeat(200_000)}`)
    assert.throws(() => graphOf(text), SnapshotError)
  })
})
