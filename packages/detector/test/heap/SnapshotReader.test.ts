import { assert, describe, it } from "@effect/vitest"
import { makeSnapshotReader } from "../../src/heap/SnapshotReader.ts"
import type { Described, Format, Parts } from "../support/snapshots.ts"
import {
  chrome,
  describeGraph,
  graphOf,
  node24,
  partsOf,
  sectionsOf,
  snapshotText,
  textOf
} from "../support/snapshots.ts"

/** A heap with each kind of name, and characters that are escaped or longer than a byte. */
const heap: Required<Described> = {
  nodes: [
    { type: "synthetic", name: "", id: 1, size: 0, edges: [["element", 1, 1], ["shortcut", "global", 2]] },
    { type: "synthetic", name: "(GC roots)", id: 3, size: 0, edges: [["hidden", 0, 2]] },
    {
      type: "object",
      name: "global",
      id: 4_294_967_295,
      size: 5_000_000_000,
      edges: [["property", "schöne Straße", 3], ["internal", "a \"quoted\" name", 4], ["weak", "self", 2]]
    },
    {
      type: "string",
      name: "tab\t, backslash \\, end\n, nul \0, 漢字 and 😀, half \ud83d",
      id: 7,
      size: 24,
      edges: []
    },
    { type: "closure", name: "onClose", id: 9, size: 64, edges: [["context", "Straße", 3], ["element", 7, 0]] }
  ],
  locations: [[4, 17, 0, 3], [2, 18, 12, 40]]
}

/** The same text with its characters as bytes of UTF-8, as other tools write it. */
const utf8: Format = { ...node24, string: (text) => JSON.stringify(text) }

const messageOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    assert.propertyVal(error, "_tag", "SnapshotError")
    return (error as Error).message
  }
  return "no error"
}

describe("SnapshotReader", () => {
  it.each(
    [["of Node 24", node24], ["of Chrome, with recorded allocations", chrome], ["with bytes of UTF-8", utf8]] as const
  )(
    "reads a snapshot %s",
    (_, format) => assert.deepStrictEqual(describeGraph(graphOf(snapshotText(heap, format))), heap)
  )

  it("reads rows whose fields have another order", () => {
    const other: Format = {
      ...node24,
      nodeFields: ["edge_count", "id", "self_size", "type", "name"],
      edgeFields: ["to_node", "type", "name_or_index"],
      nodeTypes: node24.nodeTypes.toReversed(),
      edgeTypes: node24.edgeTypes.toReversed()
    }
    assert.deepStrictEqual(describeGraph(graphOf(snapshotText(heap, other))), heap)
  })

  it("reads a snapshot without locations", () =>
    assert.deepStrictEqual(describeGraph(graphOf(snapshotText(heap, { ...node24, locations: false }))), {
      ...heap,
      locations: []
    }))

  it("reads a header that does not know locations", () => {
    const parts = partsOf(heap, { ...node24, locations: false })
    delete parts.snapshot.meta["location_fields"]
    assert.deepStrictEqual(describeGraph(graphOf(textOf(sectionsOf(parts)))), { ...heap, locations: [] })
  })

  it.each([["of Node 24", node24], ["of Chrome", chrome], ["with bytes of UTF-8", utf8]] as const)(
    "reads a snapshot %s that is cut at any byte, and one in pieces of a byte",
    (_, format) => {
      const bytes = Buffer.from(snapshotText(heap, format))
      for (let at = 0; at <= bytes.length; at++) {
        assert.deepStrictEqual(describeGraph(graphOf(bytes.subarray(0, at), bytes.subarray(at))), heap, `cut at ${at}`)
      }
      assert.deepStrictEqual(describeGraph(graphOf(...Array.from(bytes, (byte) => Uint8Array.of(byte)))), heap)
    }
  )

  it("reads its own pieces even if the buffer is used again", () => {
    const bytes = Buffer.from(snapshotText(heap))
    const reader = makeSnapshotReader(bytes.length)
    const buffer = Buffer.alloc(7)
    for (let at = 0; at < bytes.length; at += buffer.length) {
      reader.take(buffer.subarray(0, bytes.copy(buffer, 0, at)))
      buffer.fill("]")
    }
    assert.deepStrictEqual(describeGraph(reader.end()), heap)
  })

  it("reads text with spaces and line ends between all of its parts", () => {
    const sections = sectionsOf(partsOf(heap, chrome)).map((section) =>
      section.startsWith("\"strings\"") ? section : section.replaceAll(/([,:[\]])/g, "\n $1\t ")
    )
    assert.deepStrictEqual(describeGraph(graphOf(` {\n ${sections.join(" , ")} } \n`)), heap)
  })

  it("skips what it does not know, wherever it stands", () => {
    const [snapshot, nodes, edges, ...rest] = sectionsOf(partsOf(heap))
    const unknown = `"later":{"a":[1,{"b":"}]"}],"c":"\\"]}"},"flag":true,"none":null,"number":-1.5e3,"text":"x]}"`
    const text = textOf([unknown, snapshot!, unknown, nodes!, unknown, edges!, ...rest, unknown])
    for (let at = 0; at <= text.length; at++) {
      assert.deepStrictEqual(describeGraph(graphOf(text.slice(0, at), text.slice(at))), heap, `cut at ${at}`)
    }
  })

  it("reads its lists in any order", () => {
    const [snapshot, ...lists] = sectionsOf(partsOf(heap))
    assert.deepStrictEqual(describeGraph(graphOf(textOf([snapshot!, ...lists.toReversed()]))), heap)
  })

  it("ignores what follows the snapshot", () =>
    assert.deepStrictEqual(describeGraph(graphOf(snapshotText(heap), "\n", "{]\"")), heap))

  it("finds strings that are written with escapes", () => {
    const graph = graphOf(snapshotText(heap))
    for (const { name } of heap.nodes) assert.strictEqual(graph.strings.text(graph.strings.find(name!)!), name)
    assert.strictEqual(graph.strings.find("a \"quoted\" name"), partsOf(heap).strings.indexOf("a \"quoted\" name"))
    assert.isUndefined(graph.strings.find("not there"))
    assert.isUndefined(graph.strings.find("nicht da: ß"))
    assert.strictEqual(graph.strings.text(1000), "")
  })

  describe("refuses", () => {
    const refused = (why: string, change: (parts: Parts) => unknown) => {
      it(why, () => {
        const parts = partsOf(heap)
        change(parts)
        assert.strictEqual(messageOf(() => graphOf(textOf(sectionsOf(parts)))), why)
      })
    }
    const meta = (name: string, value: unknown) => ({ snapshot }: Parts) => (snapshot.meta[name] = value)

    for (const name of ["node_fields", "edge_fields", "location_fields", "node_types", "edge_types"]) {
      refused(`its header does not say ${name}`, meta(name, 1))
    }
    for (const name of ["node_count", "edge_count"] as const) {
      for (const value of [-1, 1.5, 2 ** 40]) {
        refused(`its header does not say ${name}`, ({ snapshot }) => (snapshot[name] = value))
      }
    }
    refused("it has no node", ({ snapshot }) => (snapshot.node_count = 0))
    for (const field of ["type", "name", "id", "self_size", "edge_count"]) {
      refused(`its rows have no ${field}`, meta("node_fields", node24.nodeFields.filter((one) => one !== field)))
    }
    for (const field of ["type", "name_or_index", "to_node"]) {
      refused(`its rows have no ${field}`, meta("edge_fields", node24.edgeFields.filter((one) => one !== field)))
    }
    refused("its rows have no column", meta("location_fields", ["object_index", "script_id", "line"]))
    refused("a row of numbers is not complete", ({ nodes }) => nodes.pop())
    refused("it has more rows than its header says", ({ edges }) => edges.push(...edges.slice(0, 3)))
    refused("it has 5 nodes and 8 edges of 6 and 8", ({ snapshot }) => snapshot.node_count++)
    refused("its nodes have a different number of edges", ({ nodes }) => nodes[4]!--)
    refused("the type of a node is out of range", ({ nodes }) => (nodes[0] = 15))
    refused("the name of a node is out of range", ({ nodes }) => (nodes[1] = 2 ** 32))
    refused("the id of a node is out of range", ({ nodes }) => (nodes[2] = 2 ** 32))
    refused("the size of a node is out of range", ({ nodes }) => (nodes[3] = 2 ** 53 + 2))
    refused("the number of edges is out of range", ({ nodes }) => (nodes[4] = 100))
    refused("the number of edges is out of range", ({ nodes }) => {
      nodes[4]! += 5
      nodes[10]! -= 5
    })
    refused("the type of an edge is out of range", ({ edges }) => (edges[0] = 7))
    refused("the name of an edge is out of range", ({ edges }) => (edges[1] = 2 ** 32))
    refused("the target of an edge is out of range", ({ edges, nodes }) => (edges[2] = nodes.length))
    refused("an edge leads into the middle of a node", ({ edges }) => edges[2]!++)
    refused("a location belongs to the middle of a node", ({ locations }) => locations![0]!++)
    refused("the node of a location is out of range", ({ locations, nodes }) => (locations![0] = nodes.length))
    refused("the place of a location is out of range", ({ locations }) => (locations![2] = -(2 ** 32)))
    refused("the place of a location is out of range", ({ locations }) => (locations![1] = 2 ** 32))
    refused("a name is missing in its strings", ({ strings }) => strings.pop())
    refused("a name is missing in its strings", ({ strings }) => strings.splice(0))

    it.each(["snapshot", "nodes", "edges", "locations", "strings"])("two lists of %s", (name) => {
      const sections = sectionsOf(partsOf(heap))
      const twice = sections.find((section) => section.startsWith(`"${name}"`))!
      const [what, why] = name === "snapshot" ? ["header", "it has two headers"] : [name, `it has two lists of ${name}`]
      assert.strictEqual(messageOf(() => graphOf(textOf([...sections, twice]))), why, what)
    })

    it.each(
      [
        ["", "it is not a heap snapshot"],
        ["\x1f\x8b\x08", "it is not a heap snapshot"],
        ["[1, 2, 3]", "it is not a heap snapshot"],
        ["{}", "it is not a heap snapshot"],
        ["{\"nodes\":[1,2,3]}", "its lists come before its header"],
        ["{\"snapshot\":{\"meta\":{}},\"nodes\":[", "its header does not say node_fields"],
        ["{\"snapshot\":{\"meta\":nothing},", "its header is not JSON"],
        ["{\"snapshot\":[1],", "its header does not say node_fields"],
        ["{\"snapshot\" 1", "what stands between its lists is damaged"],
        ["{\"snapshot\":1 \"nodes\"", "its header does not say node_fields"],
        ["{,", "what stands between its lists is damaged"],
        ["{\"a\":1,}", "what stands between its lists is damaged"]
      ] as const
    )("%j", (text, why) => assert.strictEqual(messageOf(() => graphOf(text.slice(0, 40), text.slice(40))), why))

    it("a header and a key that do not end", () => {
      assert.strictEqual(messageOf(() => graphOf(`{"snapshot":"${"x".repeat(2 ** 20)}`)), "its header is too long")
      assert.strictEqual(messageOf(() => graphOf(`{"${"x".repeat(300)}`)), "what stands between its lists is damaged")
    })

    const damaged = (what: string, change: (text: string) => string, why: string) => {
      it(what, () => {
        const text = snapshotText(heap)
        const changed = change(text)
        assert.notStrictEqual(changed, text)
        for (const at of [0, changed.length >> 1]) {
          assert.strictEqual(messageOf(() => graphOf(changed.slice(0, at), changed.slice(at))), why)
        }
      })
    }
    for (const name of ["nodes", "edges", "locations"]) {
      const list = `"${name}":[`
      const why = "a list of numbers is damaged"
      damaged(`a letter in ${name}`, (text) => text.replace(list, `${list}x`), why)
      damaged(`a fraction in ${name}`, (text) => text.replace(list, `${list}1.5,`), why)
      damaged(`an empty place in ${name}`, (text) => text.replace(list, `${list},`), why)
      damaged(`a comma at the end of ${name}`, (text) => text.replace(new RegExp(`("${name}":[^\\]]*)`), "$1,"), why)
      damaged(`two numbers without a comma in ${name}`, (text) => text.replace(list, `${list}1 `), why)
      damaged(`a sign after a number in ${name}`, (text) => text.replace(list, `${list}1-`), why)
    }
    damaged(
      "a word among the strings",
      (text) => text.replace("\"strings\":[", "\"strings\":[x"),
      "the list of strings is damaged"
    )
    damaged(
      "two strings without a comma",
      (text) => text.replace("\"strings\":[", "\"strings\":[\"\" "),
      "the list of strings is damaged"
    )
    damaged(
      "a comma before the first string",
      (text) => text.replace("\"strings\":[", "\"strings\":[,"),
      "the list of strings is damaged"
    )
    damaged("a comma after the last string", (text) => text.replace(/\]\}$/, ",]}"), "the list of strings is damaged")

    it("a snapshot that is cut anywhere", () => {
      const text = snapshotText(heap)
      for (let at = 0; at < text.length - 1; at++) {
        assert.include(
          ["it is not a heap snapshot", "its end is missing"],
          messageOf(() => graphOf(text.slice(0, at))),
          `cut at ${at}`
        )
      }
    })

    it("absurd counts without reserving memory for them", () => {
      const parts = partsOf(heap)
      parts.snapshot.node_count = parts.snapshot.edge_count = 2 ** 31
      const before = process.memoryUsage().arrayBuffers
      assert.include(messageOf(() => graphOf(textOf(sectionsOf(parts)))), "it has 5 nodes")
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 32 << 20)
    })
  })
})
