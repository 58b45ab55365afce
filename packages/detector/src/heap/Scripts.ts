/** The files of functions: V8 gives a closure the number of its script, and the name of the script stands in the heap. */
import type { HeapGraph } from "./HeapGraph.ts"
import { follow, nameOf, nodeType } from "./HeapGraph.ts"
import { PairTable } from "./PairTable.ts"

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

export const placesOf = (graph: HeapGraph): Places => {
  const { locations } = graph
  const closure = nodeType(graph, "closure")
  const files = new Map<number, string>()
  const lines = new PairTable()
  /** By line and column. The number of a place is that of its first row. */
  const places = new PairTable()
  /** The number of the place of each node, and one more. */
  const numbers = new Uint32Array(locations.length === 0 ? 0 : graph.nodes)
  for (let row = 0; row < locations.length; row += 4) {
    const node = locations[row]!
    const script = locations[row + 1]!
    const line = lines.getOrSet(script, locations[row + 2]!, row)
    numbers[node] = 1 + places.getOrSet(line, locations[row + 3]!, row)
    if (graph.type[node] === closure && !files.has(script)) files.set(script, fileOf(graph, node))
  }
  return {
    numberOf: (node) => (numbers[node] ?? 0) - 1,
    place: (row) => {
      const file = files.get(locations[row + 1]!) ?? ""
      return file === "" ? undefined : { file, line: locations[row + 2]! + 1, column: locations[row + 3]! + 1 }
    }
  }
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
