/** Writes the text of a heap snapshot to a file, piece by piece, as V8 does. */
import { closeSync, openSync, writeSync } from "node:fs"

/** The types of nodes and edges of Node 24, in the order of its header. */
const nodeTypes = [
  "hidden",
  "array",
  "string",
  "object",
  "code",
  "closure",
  "regexp",
  "number",
  "native",
  "synthetic",
  "concatenated string",
  "sliced string",
  "symbol",
  "bigint",
  "object shape"
] as const
const edgeTypes = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"] as const

type NodeType = typeof nodeTypes[number]
type EdgeType = typeof edgeTypes[number]

/** Takes in a heap, in the order of its nodes. The edges of a node follow it. */
export interface Heap {
  readonly node: (type: NodeType, name: number, bytes: number) => void
  readonly edge: (type: EdgeType, nameOrIndex: number, to: number) => void
  /** The place of the last node. */
  readonly location: (script: number, line: number, column: number) => void
  /** The next string that only this heap has. Answers its number. */
  readonly string: (text: () => string) => number
}

/** The same heap each time. */
export type Draw = (heap: Heap) => void

/** Writes a snapshot of what `draw` draws. It is drawn four times: a heap of this size does not fit into memory. */
export const writeSnapshot = (file: string, words: ReadonlyArray<string>, draw: Draw): void => {
  const counted = count(draw)
  const out = new Output(file)
  out.text(
    `{"snapshot":{"meta":${JSON.stringify(meta)},"node_count":${counted.nodes},"edge_count":${counted.edges}`
      + `,"trace_function_count":0,"extra_native_bytes":0},\n"nodes":[`
  )
  writeNodes(out, draw)
  out.text("],\n\"edges\":[")
  writeEdges(out, draw)
  out.text("],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[")
  writeLocations(out, draw)
  out.text(`],\n"strings":[${words.map((word) => JSON.stringify(word)).join(",\n")}`)
  draw({
    ...nothing,
    string: (text) => {
      out.text(`,\n${JSON.stringify(text())}`)
      return 0
    }
  })
  out.text("]}")
  out.end()
}

const meta = {
  node_fields: ["type", "name", "id", "self_size", "edge_count", "detachedness"],
  node_types: [nodeTypes, "string", "number", "number", "number", "number", "number"],
  edge_fields: ["type", "name_or_index", "to_node"],
  edge_types: [edgeTypes, "string_or_number", "node"],
  trace_function_info_fields: ["function_id", "name", "script_name", "script_id", "line", "column"],
  trace_node_fields: ["id", "function_info_index", "count", "size", "children"],
  sample_fields: ["timestamp_us", "last_assigned_id"],
  location_fields: ["object_index", "script_id", "line", "column"]
}

/** The numbers of the types. */
const nodeNumber = Object.fromEntries(nodeTypes.map((name, i) => [name, i])) as Readonly<Record<NodeType, number>>
const edgeNumber = Object.fromEntries(edgeTypes.map((name, i) => [name, i])) as Readonly<Record<EdgeType, number>>

const fields = meta.node_fields.length
const nothing: Heap = { node: () => {}, edge: () => {}, location: () => {}, string: () => 0 }

/** Each way to draw a heap numbers its strings equally. */
const numbered = (): Heap["string"] => {
  let strings = 0
  return () => strings++
}

const count = (draw: Draw): { readonly nodes: number; readonly edges: number } => {
  let nodes = 0
  let edges = 0
  draw({ ...nothing, string: numbered(), node: () => void nodes++, edge: () => void edges++ })
  return { nodes, edges }
}

const writeNodes = (out: Output, draw: Draw): void => {
  let nodes = 0
  let type = 0
  let name = 0
  let bytes = 0
  let edges = 0
  const flush = (): void => {
    if (nodes > 0) out.numbers(nodes === 1, type, name, 2 * nodes - 1, bytes, edges, 0)
  }
  draw({
    ...nothing,
    string: numbered(),
    node: (nextType, nextName, nextBytes) => {
      flush()
      type = nodeNumber[nextType]
      name = nextName
      bytes = nextBytes
      edges = 0
      nodes++
    },
    edge: () => void edges++
  })
  flush()
}

const writeEdges = (out: Output, draw: Draw): void => {
  let isFirst = true
  draw({
    ...nothing,
    string: numbered(),
    edge: (type, name, to) => {
      out.numbers(isFirst, edgeNumber[type], name, fields * to)
      isFirst = false
    }
  })
}

const writeLocations = (out: Output, draw: Draw): void => {
  let nodes = 0
  let isFirst = true
  draw({
    ...nothing,
    string: numbered(),
    node: () => void nodes++,
    location: (script, line, column) => {
      out.numbers(isFirst, fields * (nodes - 1), script, line, column)
      isFirst = false
    }
  })
}

class Output {
  readonly #file: number
  readonly #bytes = Buffer.alloc(1 << 20)
  #used = 0

  constructor(file: string) {
    this.#file = openSync(file, "w", 0o600)
  }

  text(text: string): void {
    const bytes = Buffer.from(text)
    this.#room(bytes.length)
    if (bytes.length > this.#bytes.length) writeSync(this.#file, bytes)
    else this.#used += bytes.copy(this.#bytes, this.#used)
  }

  numbers(isFirst: boolean, ...numbers: ReadonlyArray<number>): void {
    this.#room(16 * numbers.length)
    for (let i = 0; i < numbers.length; i++) {
      if (i > 0 || !isFirst) this.#bytes[this.#used++] = 0x2c
      this.#digits(numbers[i]!)
    }
  }

  end(): void {
    this.#room(this.#bytes.length)
    closeSync(this.#file)
  }

  #digits(number: number): void {
    let length = 1
    for (let power = 10; power <= number; power *= 10) length++
    let rest = number
    for (let at = this.#used + length - 1; at >= this.#used; at--) {
      const tens = Math.floor(rest / 10)
      this.#bytes[at] = 0x30 + rest - 10 * tens
      rest = tens
    }
    this.#used += length
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return
    writeSync(this.#file, this.#bytes, 0, this.#used)
    this.#used = 0
  }
}
