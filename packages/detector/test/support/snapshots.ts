/** Texts of heap snapshots from small descriptions, as V8 writes them. */
import type { HeapGraph } from "../../src/heap/HeapGraph.ts"
import { edgeNameOf, nameOf } from "../../src/heap/HeapGraph.ts"
import { makeSnapshotReader } from "../../src/heap/SnapshotReader.ts"
import type { Random } from "./random.ts"

/** The type of a reference, its name or index, and the number of the node that it leads to. */
export type Edge = readonly [type: string, nameOrIndex: string | number, to: number]

/** Left out: an object without a name, without references and of no size, whose id is the `2 n + 1` of its number. */
export interface Node {
  readonly type?: string
  readonly name?: string
  readonly id?: number
  readonly size?: number
  readonly edges?: ReadonlyArray<Edge>
}

export interface Described {
  readonly nodes: ReadonlyArray<Node>
  /** Node, script, line and column. */
  readonly locations?: ReadonlyArray<readonly [number, number, number, number]>
}

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
]
const edgeTypes = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]

/** What differs from one writer to the next. */
export interface Format {
  readonly nodeFields: ReadonlyArray<string>
  readonly nodeTypes: ReadonlyArray<string>
  readonly edgeFields: ReadonlyArray<string>
  readonly edgeTypes: ReadonlyArray<string>
  /** Lists besides those of the heap, in their place between the edges and the locations. */
  readonly others: Readonly<Record<string, unknown>>
  readonly locations: boolean
  readonly string: (text: string) => string
}

/** V8 writes everything outside of ASCII as numbers. */
const ascii = (text: string): string =>
  JSON.stringify(text).replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`
  )

export const node24: Format = {
  nodeFields: ["type", "name", "id", "self_size", "edge_count", "detachedness"],
  nodeTypes,
  edgeFields: ["type", "name_or_index", "to_node"],
  edgeTypes,
  others: { trace_function_infos: [], trace_tree: [], samples: [] },
  locations: true,
  string: ascii
}

/** With recorded allocations, as from Chrome's "Allocations on timeline". */
export const chrome: Format = {
  ...node24,
  nodeFields: ["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"],
  nodeTypes: nodeTypes.slice(0, -1),
  others: {
    trace_function_infos: [0, 1, 2, 3, 4, 5, 1, 1, 2, 3, 4, 5],
    trace_tree: [1, 0, 1, 24, [2, 1, 2, 48, [], 3, 1, 0, 0, [4, 0, 0, 0, []]]],
    samples: [1017, 5, 2034, 9]
  }
}

/** The parts of a snapshot, which a test may change before it writes them. */
export interface Parts {
  readonly snapshot: {
    readonly meta: Record<string, unknown>
    node_count: number
    edge_count: number
    readonly trace_function_count: number
  }
  readonly nodes: Array<number>
  readonly edges: Array<number>
  readonly others: Readonly<Record<string, unknown>>
  readonly locations: Array<number> | undefined
  readonly strings: Array<string>
  readonly format: Format
}

export const partsOf = ({ locations = [], nodes }: Described, format: Format = node24): Parts => {
  const strings = new Map<string, number>()
  const string = (text: string): number => {
    const number = strings.get(text) ?? strings.size
    strings.set(text, number)
    return number
  }
  string("")
  const fields = format.nodeFields.length
  const rows = nodes.map(({ edges = [], id, name = "", size = 0, type = "object" }, i) => {
    const values: Readonly<Record<string, number>> = {
      type: format.nodeTypes.indexOf(type),
      name: string(name),
      id: id ?? 2 * i + 1,
      self_size: size,
      edge_count: edges.length,
      trace_node_id: i % 4,
      detachedness: 0
    }
    return format.nodeFields.map((field) => values[field]!)
  })
  const edges = nodes.flatMap(({ edges = [] }) =>
    edges.map(([type, name, to]) => {
      const values: Readonly<Record<string, number>> = {
        type: format.edgeTypes.indexOf(type),
        name_or_index: typeof name === "number" ? name : string(name),
        to_node: fields * to
      }
      return format.edgeFields.map((field) => values[field]!)
    })
  )
  return {
    snapshot: {
      meta: {
        node_fields: format.nodeFields,
        node_types: [format.nodeTypes, "string", ...format.nodeFields.slice(2).map(() => "number")],
        edge_fields: format.edgeFields,
        edge_types: [format.edgeTypes, "string_or_number", "node"],
        trace_function_info_fields: ["function_id", "name", "script_name", "script_id", "line", "column"],
        trace_node_fields: ["id", "function_info_index", "count", "size", "children"],
        sample_fields: ["timestamp_us", "last_assigned_id"],
        location_fields: ["object_index", "script_id", "line", "column"]
      },
      node_count: rows.length,
      edge_count: edges.length,
      trace_function_count: 0
    },
    nodes: rows.flat(),
    edges: edges.flat(),
    others: format.others,
    locations: format.locations ? locations.flatMap(([node, ...place]) => [fields * node, ...place]) : undefined,
    strings: [...strings.keys()],
    format
  }
}

/** The sections of a snapshot, as its text has them between commas. */
export const sectionsOf = ({ edges, format, locations, nodes, others, snapshot, strings }: Parts): Array<string> => [
  `"snapshot":${JSON.stringify(snapshot)}`,
  `"nodes":[${nodes.join(",")}]`,
  `"edges":[${edges.join(",")}]`,
  ...Object.entries(others).map(([name, value]) => `"${name}":${JSON.stringify(value)}`),
  ...(locations === undefined ? [] : [`"locations":[${locations.join(",")}]`]),
  `"strings":[${strings.map(format.string).join(",\n")}]`
]

export const textOf = (sections: ReadonlyArray<string>): string => `{${sections.join(",\n")}}`

/** The text of a snapshot. */
export const snapshotText = (described: Described, format: Format = node24): string =>
  textOf(sectionsOf(partsOf(described, format)))

/** Reads bytes that arrive in the given pieces. */
export const graphOf = (...pieces: ReadonlyArray<Uint8Array | string>): HeapGraph => {
  const reader = makeSnapshotReader()
  for (const piece of pieces) reader.take(typeof piece === "string" ? Buffer.from(piece) : piece)
  return reader.end()
}

export const graphFrom = (described: Described): HeapGraph => graphOf(snapshotText(described))

/** What a graph says, as a description. */
export const describeGraph = (graph: HeapGraph): Required<Described> => {
  const nodeNames = [...graph.nodeTypes.keys()]
  const edgeNames = [...graph.edgeTypes.keys()]
  return {
    nodes: Array.from({ length: graph.nodes }, (_, node) => ({
      type: nodeNames[graph.type[node]!]!,
      name: nameOf(graph, node),
      id: graph.id[node]!,
      size: graph.selfSize[node]!,
      edges: Array.from({ length: graph.firstEdge[node + 1]! - graph.firstEdge[node]! }, (_, i) => {
        const edge = graph.firstEdge[node]! + i
        const name = edgeNameOf(graph, edge)
        return [
          edgeNames[graph.edgeType[edge]!]!,
          name.startsWith("[") ? graph.edgeName[edge]! : name,
          graph.target[edge]!
        ] as const
      })
    })),
    locations: Array.from(
      { length: graph.locations.length / 4 },
      (_, i) => Array.from(graph.locations.subarray(4 * i, 4 * i + 4)) as [number, number, number, number]
    )
  }
}

/** The two references by which V8 writes an entry of a WeakMap: from its key, and from its table. */
export const entryOfWeakMap = (key: number, value: number, table: number) => {
  const id = (node: number): number => 2 * node + 1
  const name = `/ part of key (Key @${id(key)}) -> value (Value @${id(value)}) pair in WeakMap (table @${id(table)})`
  return { fromKey: ["internal", `2 ${name}`, value], fromTable: ["internal", `5 ${name}`, value] } as const
}

/** A heap with everything in it that a rule speaks of: roots, global objects, owned arrays, weak references, cliques. */
export const randomHeap = ({ integer, next, pick }: Random, most: number): Described => {
  const count = integer(3, most)
  const nodes = Array.from({ length: count }, (_, i): { -readonly [K in keyof Required<Node>]: Required<Node>[K] } => ({
    type: i < 3
      ? "synthetic"
      : pick(["object", "object", "object", "closure", "string", "hidden", "array", "native", "code", "synthetic"]),
    name: i === 1 ? "(GC roots)" : i === 2 ? "(Document DOM trees)" : pick(["A", "B", "system / ExternalStringData"]),
    id: 2 * i + 1,
    size: integer(0, 100),
    edges: []
  }))
  const add = (from: number, edge: Edge): void => void (nodes[from]!.edges = [...nodes[from]!.edges, edge])
  // DevTools fails where two references of the root lead to one global object.
  const first = new Set<number>()
  const addToRoot = (edge: Edge): void => {
    if (!first.has(edge[2])) add(0, edge)
    first.add(edge[2])
  }
  if (next() < 0.9) addToRoot(["element", 1, 1])
  if (next() < 0.3) addToRoot(["element", 2, 2])
  for (let i = integer(0, 3); i > 0; i--) {
    addToRoot(next() < 0.7 ? ["shortcut", "global", integer(1, count - 1)] : ["element", 9, integer(1, count - 1)])
  }
  // Few references leave cliques that nothing reaches, many leave none.
  for (let i = Math.floor(count * (0.5 + 2 * next())); i > 0; i--) {
    const type = pick([
      "property",
      "property",
      "property",
      "element",
      "context",
      "internal",
      "hidden",
      "weak",
      "shortcut"
    ])
    const from = integer(1, count - 1)
    // To the root too, to itself, and to the same one twice.
    add(from, [type, type === "element" || type === "hidden" ? i : "to", next() < 0.05 ? from : integer(0, count - 1)])
  }
  for (let i = integer(0, 3); i > 0; i--) {
    const [key, value, table] = [integer(1, count - 1), integer(1, count - 1), integer(1, count - 1)]
    const { fromKey, fromTable } = entryOfWeakMap(key, value, table)
    add(key, fromKey)
    add(table, fromTable)
  }
  return { nodes }
}
