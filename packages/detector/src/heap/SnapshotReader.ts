/**
 * Reads a heap snapshot as it arrives, piece by piece, into arrays of numbers.
 *
 * **Details**
 *
 * A snapshot is a JSON object: a header and a few long lists, `nodes`, `edges`, `locations` and `strings`. Neither the text nor a value of
 * JSON.parse is ever held as a whole: 500 MB of text become 400 MB of arrays. Every number is checked, so a damaged file ends with a
 * {@link SnapshotError}. Arrays grow with what has arrived and not by the counts in the header, which may be absurd.
 *
 * The format is described in V8's `src/profiler/heap-snapshot-generator.cc`.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { JsonValue, NumberList, refuse } from "./SnapshotLists.ts"
import type { Section } from "./SnapshotLists.ts"
import { EdgeRows, headerOf, LocationRows, NodeRows } from "./SnapshotRows.ts"
import type { Header } from "./SnapshotRows.ts"
import { StringTableReader } from "./StringTable.ts"

/** Takes in a snapshot. Both functions throw a {@link SnapshotError}. */
export interface SnapshotReader {
  readonly take: (bytes: Uint8Array) => void
  readonly end: () => HeapGraph
}

/** Bytes of the header. V8's has 2 KB. */
const longestHeader = 1 << 20

/** A reader for a snapshot. `bytes` is the size of its text, where that is known: then arrays get their size at once. */
export const makeSnapshotReader = (bytes: number = 0): SnapshotReader => {
  const outline = new Outline()
  let header: Header | undefined
  let nodes: NodeRows | undefined
  let edges: EdgeRows | undefined
  let locations: LocationRows | undefined
  let strings: StringTableReader | undefined
  let headerText: JsonValue | undefined
  let section: Section | undefined

  const known = (): Header => {
    if (header === undefined) throw refuse("its lists come before its header")
    return header
  }
  const once = (before: unknown, name: string): void => {
    if (before !== undefined) throw refuse(`it has two lists of ${name}`)
  }
  const sectionOf = (key: string): Section => {
    switch (key) {
      case "snapshot":
        if (header !== undefined) throw refuse("it has two headers")
        return headerText = new JsonValue(longestHeader)
      case "nodes":
        once(nodes, key)
        return new NumberList(nodes = new NodeRows(known(), bytes))
      case "edges":
        once(edges, key)
        return new NumberList(edges = new EdgeRows(known(), bytes))
      case "locations":
        once(locations, key)
        return new NumberList(locations = new LocationRows(known()))
      case "strings":
        once(strings, key)
        return strings = new StringTableReader()
      default:
        return new JsonValue()
    }
  }

  return {
    take: (chunk) => {
      let at = 0
      while (at < chunk.length) {
        if (section === undefined) {
          at = outline.take(chunk, at)
          if (at < 0) return
          section = sectionOf(outline.key)
        }
        at = section.take(chunk, at)
        if (at < 0) return
        if (section === headerText) header = headerOf(headerText.text)
        section = undefined
      }
    },
    end: () => {
      if (header === undefined) throw refuse("it is not a heap snapshot")
      if (!outline.isOver) throw refuse("its end is missing")
      for (const [name, list] of Object.entries({ nodes, edges, strings })) {
        if (list === undefined) throw refuse(`it has no list of ${name}`)
      }
      return graphOf(header, nodes!, edges!, locations, strings!)
    }
  }
}

const [quote, colon, comma, open, close] = [0x22, 0x3a, 0x2c, 0x7b, 0x7d]

/** Longer than the name of any list. */
const longestKey = 256

/** Reads what stands between the values of the outermost object, and skips all that follows it. */
class Outline implements Section {
  #expects: "{" | "key or }" | "key" | "end of key" | ":" | ", or }" | "nothing" = "{"
  /** The key of the next value. */
  key = ""

  get isOver(): boolean {
    return this.#expects === "nothing"
  }

  /** Answers where a value starts. */
  take(bytes: Uint8Array, from: number): number {
    for (let i = from; i < bytes.length; i++) {
      if (this.#expects === "nothing") return -1
      const byte = bytes[i]!
      if (this.#expects === "end of key") {
        if (byte === quote) this.#expects = ":"
        else if (this.key.length < longestKey) this.key += String.fromCharCode(byte)
        else throw refuse("what stands between its lists is damaged")
      } else if (byte > 0x20) {
        if (byte === colon && this.#expects === ":") {
          this.#expects = ", or }"
          return i + 1
        }
        this.#next(byte)
      }
    }
    return -1
  }

  #next(byte: number): void {
    const expected = this.#expects
    if (expected === "{") {
      if (byte !== open) throw refuse("it is not a heap snapshot")
      this.#expects = "key or }"
    } else if (byte === quote && (expected === "key" || expected === "key or }")) {
      this.key = ""
      this.#expects = "end of key"
    } else if (byte === close && (expected === ", or }" || expected === "key or }")) this.#expects = "nothing"
    else if (byte === comma && expected === ", or }") this.#expects = "key"
    else throw refuse("what stands between its lists is damaged")
  }
}

const graphOf = (
  header: Header,
  nodes: NodeRows,
  edges: EdgeRows,
  locations: LocationRows | undefined,
  strings: StringTableReader
): HeapGraph => {
  if (nodes.count !== header.nodes || edges.count !== header.edges) {
    throw refuse(`it has ${nodes.count} nodes and ${edges.count} edges of ${header.nodes} and ${header.edges}`)
  }
  if (nodes.firstEdge[nodes.count] !== edges.count) throw refuse("its nodes have a different number of edges")
  if (Math.max(nodes.mostName, edges.mostName) >= strings.size) throw refuse("a name is missing in its strings")
  return {
    nodes: nodes.count,
    edges: edges.count,
    type: nodes.type,
    name: nodes.name,
    id: nodes.id,
    selfSize: nodes.selfSize,
    firstEdge: nodes.firstEdge,
    edgeType: edges.type,
    edgeName: edges.name,
    target: edges.target,
    locations: locations?.rows.subarray(0, 4 * locations.count) ?? new Int32Array(0),
    strings: strings.end(),
    nodeTypes: header.nodeTypes,
    edgeTypes: header.edgeTypes
  }
}
