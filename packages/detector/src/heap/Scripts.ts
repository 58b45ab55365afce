/** The files of functions: V8 gives a closure the number of its script, and the name of the script stands in the heap. */
import type { HeapGraph } from "./HeapGraph.ts"
import { follow, nameOf, nodeType } from "./HeapGraph.ts"
import { PairTable } from "./PairTable.ts"
import { sortByKey } from "./sortByKey.ts"

/** A place in a script, lines and columns from 1. */
export interface ScriptPlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** The places of closures and generators. */
export interface Places {
  /** A number for the place of a node, the same for all nodes of that place; -1 where the snapshot has none. */
  readonly numberOf: (node: number) => number
  readonly place: (number: number) => ScriptPlace | undefined
}

/** Numbers the places of a snapshot. */
export const placesOf = (graph: HeapGraph): Places => {
  const { locations } = graph
  const files = filesOf(graph)
  const find = rowsByNode(locations)
  const lines = new PairTable()
  /** By line and column. The number of a place is that of the first row with it. */
  const places = new PairTable()
  return {
    numberOf: (node) => {
      const row = find(node)
      if (row < 0) return -1
      const line = lines.getOrSet(locations[row + 1]!, locations[row + 2]! >>> 0, row)
      return places.getOrSet(line, locations[row + 3]! >>> 0, row)
    },
    place: (row) => {
      const file = files.get(locations[row + 1]!) ?? ""
      const [line, column] = [locations[row + 2]!, locations[row + 3]!].map((one) => Math.max(0, one) + 1)
      return file === "" ? undefined : { file, line: line!, column: column! }
    }
  }
}

/** The files that Fiberscope loads into a program: the agent, and the census of core. */
const toolFiles =
  /[\\/](?:\.agent[\\/][0-9a-f]{16}|(?:@fiberscope|packages)[\\/](?:detector[\\/](?:dist|src)[\\/]agent|core[\\/](?:dist|src)[\\/]internal[\\/]census))[\\/]/

/** Whether a file is one of these. */
export const isToolFile = (file: string): boolean => toolFiles.test(file)

/** 1 for each function and module of Fiberscope itself in an observed program. */
export const toolFunctions = (graph: HeapGraph): Uint8Array => {
  const { locations } = graph
  const found = new Uint8Array(graph.nodes)
  const tools = new Set([...filesOf(graph)].filter(([, file]) => isToolFile(file)).map(([script]) => script))
  if (tools.size === 0) return found
  for (let row = 0; row < locations.length; row += 4) {
    if (tools.has(locations[row + 1]!)) found[locations[row]!] = 1
  }
  return found
}

/** Answers the place of a closure or a generator, where the snapshot has it. */
export const placeFinder = (graph: HeapGraph): (node: number) => ScriptPlace | undefined => {
  const { numberOf, place } = placesOf(graph)
  return (node) => {
    const number = numberOf(node)
    return number < 0 ? undefined : place(number)
  }
}

/** Makes the function that answers the last row of a node, or -1. A quarter of the nodes have a row, in any order. */
const rowsByNode = (locations: Int32Array): (node: number) => number => {
  const count = locations.length / 4
  const nodes = new Uint32Array(count)
  const rows = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    nodes[i] = locations[4 * i]!
    rows[i] = i
  }
  sortByKey(nodes, rows, new Uint32Array(count), new Uint32Array(count))
  return (node) => {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (nodes[middle]! <= node) low = middle + 1
      else high = middle
    }
    return low > 0 && nodes[low - 1] === node ? 4 * rows[low - 1]! : -1
  }
}

/** The file of each script, by the number that V8 gives it, from a closure of the script. */
const filesOf = (graph: HeapGraph): ReadonlyMap<number, string> => {
  const { locations } = graph
  const closure = nodeType(graph, "closure")
  const files = new Map<number, string>()
  for (let row = 0; row < locations.length; row += 4) {
    const script = locations[row + 1]!
    if (graph.type[locations[row]!] === closure && !files.has(script)) files.set(script, fileOf(graph, locations[row]!))
  }
  return files
}

/** The file of a closure. */
const fileOf = (graph: HeapGraph, node: number): string => {
  let at: number | undefined = node
  for (const name of ["shared", "script", "name"]) {
    at = follow(graph, at, name)
    if (at === undefined) return ""
  }
  return nameOf(graph, at)
}
