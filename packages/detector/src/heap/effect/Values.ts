/**
 * Reads JavaScript values of a heap snapshot: fields, variables, numbers, texts, and entries of Maps, Sets and arrays.
 *
 * **Details**
 *
 * V8 writes `undefined`, `null`, `true` and `false` as nodes of these names. It writes numbers only into a snapshot that was taken with
 * `exposeNumericValues`; elsewhere a field with a number looks like a field that does not exist. The table of a Map or a Set is an array:
 * three words, the buckets, then the entries with three words each, two in a Set. V8 never writes the small integers in it.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeNameOf, edgeType, nameOf, nodeType } from "../HeapGraph.ts"

/** The kind of a reference: a field, a variable of a closure, an internal of V8, or one that keeps nothing. */
export type Reference = "property" | "context" | "internal" | "weak"

/** The node that a reference of this kind and name leads to. */
export const reach = (graph: HeapGraph, node: number, kind: Reference, name: string): number | undefined => {
  const wanted = graph.strings.find(name)
  if (wanted === undefined) return undefined
  const type = edgeType(graph, kind)
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
    if (graph.edgeName[edge] === wanted && graph.edgeType[edge] === type) return graph.target[edge]
  }
  return undefined
}

/** The value of a field, unless it is `undefined` or `null`. Several names are a path. */
export const field = (
  graph: HeapGraph,
  node: number | undefined,
  ...names: ReadonlyArray<string>
): number | undefined => {
  let at = node
  for (const name of names) {
    if (at === undefined) return undefined
    at = present(graph, reach(graph, at, "property", name))
  }
  return at
}

/** The variables of a context: their names and values, without those that are `undefined`. */
export const variables = (graph: HeapGraph, context: number): ReadonlyArray<Variable> => {
  const type = edgeType(graph, "context")
  const found: Array<Variable> = []
  for (let edge = graph.firstEdge[context]!; edge < graph.firstEdge[context + 1]!; edge++) {
    if (graph.edgeType[edge] !== type) continue
    const node = present(graph, graph.target[edge])
    if (node !== undefined) found.push({ name: edgeNameOf(graph, edge), node })
  }
  return found
}

/** A variable of a context. A bundler may have changed its name. */
export interface Variable {
  readonly name: string
  readonly node: number
}

/** The context of a closure. */
export const contextOf = (graph: HeapGraph, node: number | undefined): number | undefined =>
  node === undefined || graph.type[node] !== nodeType(graph, "closure")
    ? undefined
    : reach(graph, node, "internal", "context")

/** Whether a node is one of the values that V8 writes by their names. */
export const isValue = (
  graph: HeapGraph,
  node: number | undefined,
  value: "undefined" | "null" | "true" | "false"
): boolean => {
  if (node === undefined || graph.type[node] !== nodeType(graph, "hidden")) return false
  const name = nameOf(graph, node)
  if (name !== "system / Oddball") return name === value
  // Before Node 24 the name is the first string that the value refers to; the second one is its type.
  const string = nodeType(graph, "string")
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
    const to = graph.target[edge]!
    if (graph.type[to] === string) return nameOf(graph, to) === value
  }
  return false
}

/** A node, unless it is `undefined` or `null`. */
const present = (graph: HeapGraph, node: number | undefined): number | undefined =>
  isValue(graph, node, "undefined") || isValue(graph, node, "null") ? undefined : node

/** The number in a field, where the snapshot has numbers. */
export const numberIn = (
  graph: HeapGraph,
  node: number | undefined,
  ...names: ReadonlyArray<string>
): number | undefined => {
  const value = field(graph, node, ...names)
  return value === undefined ? undefined : numberOf(graph, value)
}

/** The number that a node is, where the snapshot has numbers. */
export const numberOf = (graph: HeapGraph, node: number): number | undefined => {
  if (graph.type[node] !== nodeType(graph, "number")) return undefined
  const text = reach(graph, node, "internal", "value")
  return text === undefined ? undefined : Number(nameOf(graph, text))
}

const longest = 200

/** The text of a string, cut after 200 characters. Only for names: other texts are data of the program. */
export const textOf = (graph: HeapGraph, node: number | undefined): string | undefined => {
  if (node === undefined) return undefined
  const type = graph.type[node]
  if (type === nodeType(graph, "string")) return nameOf(graph, node).slice(0, longest)
  if (type === nodeType(graph, "sliced string")) return nameOf(graph, node).slice(0, longest)
  if (type !== nodeType(graph, "concatenated string")) return undefined
  // Each half may be a concatenation again, to the depth of all texts that were added up.
  let text = ""
  const open = [node]
  for (let steps = 0; steps < longest && open.length > 0 && text.length < longest; steps++) {
    const at = open.pop()!
    if (graph.type[at] !== type) text += nameOf(graph, at)
    else {
      for (const half of ["second", "first"]) {
        const part = reach(graph, at, "internal", half)
        if (part !== undefined) open.push(part)
      }
    }
  }
  return text.slice(0, longest)
}

/** An entry of a Map, or of a Set, whose entries have no value. A number, a boolean and `undefined` have no node. */
export interface Entry {
  readonly key: number | undefined
  readonly value: number | undefined
}

/**
 * A Map or a Set: the entries that show, and the number for which there is room. It has gaps where an entry before the last one does not
 * show.
 */
export interface Table {
  readonly node: number
  readonly kind: "Map" | "Set"
  readonly entries: ReadonlyArray<Entry>
  readonly hasGaps: boolean
  readonly room: number
}

/** Bytes of a word, and the words before the elements of an array of V8. */
const word = 8
const header = 2
const beforeBuckets = 3
const bucketsPerRoom = 2

/** The table of a Map or a Set. */
export const tableOf = (graph: HeapGraph, node: number): Table | undefined => {
  const table = reach(graph, node, "internal", "table")
  if (table === undefined) return undefined
  const words = graph.selfSize[table]! / word - header - beforeBuckets
  // The number of buckets is a power of two, so only one of the two divisions has no remainder.
  const perEntry = words > 0 && words % 7 === 0 ? 3 : 2
  const buckets = Math.max(0, words / (1 + bucketsPerRoom * perEntry))
  const first = beforeBuckets + buckets
  const rows = new Map<number, { key: number | undefined; value: number | undefined }>()
  let last = -1
  const internal = edgeType(graph, "internal")
  for (let edge = graph.firstEdge[table]!; edge < graph.firstEdge[table + 1]!; edge++) {
    if (graph.edgeType[edge] !== internal) continue
    const at = Number(edgeNameOf(graph, edge))
    if (!(at >= first)) continue
    const row = Math.floor((at - first) / perEntry)
    const part = (at - first) % perEntry
    if (part > (perEntry === 3 ? 1 : 0)) continue
    const entry = rows.get(row) ?? { key: undefined, value: undefined }
    entry[part === 0 ? "key" : "value"] = graph.target[edge]!
    rows.set(row, entry)
    last = Math.max(last, row)
  }
  const entries = [...rows.values()].filter(({ key }) => key === undefined || !isHole(graph, key))
  return {
    node: table,
    kind: perEntry === 3 ? "Map" : "Set",
    entries,
    hasGaps: rows.size <= last,
    room: bucketsPerRoom * buckets
  }
}

/** The key of an entry that was deleted. */
const isHole = (graph: HeapGraph, node: number): boolean =>
  graph.type[node] === nodeType(graph, "hidden") && nameOf(graph, node) === "system / Hole"

/** The elements of an array that show, by index. Small integers do not, nor do the numbers of an array that has nothing else. */
export const elementsOf = (graph: HeapGraph, array: number): ReadonlyArray<Element> => {
  const type = edgeType(graph, "element")
  const found: Array<Element> = []
  for (let edge = graph.firstEdge[array]!; edge < graph.firstEdge[array + 1]!; edge++) {
    if (graph.edgeType[edge] === type) found.push({ index: graph.edgeName[edge]!, node: graph.target[edge]! })
  }
  return found
}

/** An element of an array. */
export interface Element {
  readonly index: number
  readonly node: number
}

/** The number of elements for which there is room in an array. */
export const roomOf = (graph: HeapGraph, array: number): number => {
  const elements = reach(graph, array, "internal", "elements")
  return elements === undefined ? 0 : Math.max(0, graph.selfSize[elements]! / word - header)
}
