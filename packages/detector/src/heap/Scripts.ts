/** The files of functions: V8 gives a closure the number of its script, and the name of the script stands in the heap. */
import type { HeapGraph } from "./HeapGraph.ts"
import { follow, nameOf, nodeType } from "./HeapGraph.ts"

/** A place in a script, lines and columns from 1. */
export interface ScriptPlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Answers the place of a closure or a generator, where the snapshot has it. */
export const placesOf = (graph: HeapGraph): (node: number) => ScriptPlace | undefined => {
  const { locations } = graph
  const closure = nodeType(graph, "closure")
  const rows = new Map<number, number>()
  const files = new Map<number, string>()
  for (let row = 0; row < locations.length; row += 4) {
    const node = locations[row]!
    const script = locations[row + 1]!
    rows.set(node, row)
    if (graph.type[node] === closure && !files.has(script)) files.set(script, fileOf(graph, node))
  }
  return (node) => {
    const row = rows.get(node)
    if (row === undefined) return undefined
    const file = files.get(locations[row + 1]!) ?? ""
    const [line, column] = [locations[row + 2]!, locations[row + 3]!].map((place) => Math.max(0, place) + 1)
    return file === "" ? undefined : { file, line: line!, column: column! }
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
