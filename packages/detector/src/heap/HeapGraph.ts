/**
 * The objects of a heap snapshot and the references between them, as arrays of numbers.
 *
 * **Details**
 *
 * A node is an object, a string, a closure or something of V8's own. Nodes are numbers from 0, the root, to `nodes - 1`. The references of
 * node `n`, which V8 calls edges, are the numbers from `firstEdge[n]` to `firstEdge[n + 1] - 1`. A heap of 500 MB has ten million
 * nodes, so nothing here is an object per node.
 */
import type { StringTable } from "./StringTable.ts"

/**
 * A heap snapshot.
 *
 * **Details**
 *
 * - `id`: V8 gives an object the same number in each snapshot of a process;
 * - `selfSize`: bytes of the object alone;
 * - `name`: the class of an object, the name of a closure, the text of a string, as numbers of {@link StringTable};
 * - `edgeName`: a name, or an index where the type of the edge is `element` or `hidden`;
 * - `locations`: rows of node, script, line and column, from 0.
 */
export interface HeapGraph {
  readonly nodes: number
  readonly edges: number
  readonly type: Uint8Array
  readonly name: Uint32Array
  readonly id: Uint32Array
  readonly selfSize: Uint32Array | Float64Array
  readonly firstEdge: Uint32Array
  readonly edgeType: Uint8Array
  readonly edgeName: Uint32Array
  readonly target: Uint32Array
  readonly locations: Int32Array
  readonly strings: StringTable
  /** The number of each type of node and of edge in this snapshot; V8 adds types from time to time. */
  readonly nodeTypes: ReadonlyMap<string, number>
  readonly edgeTypes: ReadonlyMap<string, number>
}

/** The number of a type of node, or -1: no node has it. */
export const nodeType = (graph: HeapGraph, name: string): number => graph.nodeTypes.get(name) ?? -1

/** The number of a type of edge, or -1: no edge has it. */
export const edgeType = (graph: HeapGraph, name: string): number => graph.edgeTypes.get(name) ?? -1

/** The class, closure or text of a node. */
export const nameOf = (graph: HeapGraph, node: number): string => graph.strings.text(graph.name[node]!)

/** The name of an edge; a number in brackets for an index. */
export const edgeNameOf = (graph: HeapGraph, edge: number): string => {
  const type = graph.edgeType[edge]!
  const name = graph.edgeName[edge]!
  return type === edgeType(graph, "element") || type === edgeType(graph, "hidden")
    ? `[${name}]`
    : graph.strings.text(name)
}

/** The first node that a reference of this name leads to. */
export const follow = (graph: HeapGraph, node: number, name: string): number | undefined => {
  const wanted = graph.strings.find(name)
  if (wanted === undefined) return undefined
  const element = edgeType(graph, "element")
  const hidden = edgeType(graph, "hidden")
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
    const type = graph.edgeType[edge]!
    if (graph.edgeName[edge] === wanted && type !== element && type !== hidden) return graph.target[edge]
  }
  return undefined
}
