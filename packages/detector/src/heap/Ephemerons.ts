/**
 * Entries of WeakMaps: the value stays alive while both its key and the map are alive.
 *
 * V8 writes such an entry as two edges, one from the key and one from the table of the map. Their names differ in the number before the slash
 * only: `3 / part of key (Key @5) -> value (Value @7) pair in WeakMap (table @9)`.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType } from "./HeapGraph.ts"

/** The name in three parts: one expression for all would need quadratic time for a name that almost is one. */
const start = /^\d+ \/ part of key \(/
const middle = / @\d+\) -> value \(/
const end = / @\d+\) pair in WeakMap \(table @(\d+)\)$/
const lineEnd = /[\n\r\u2028\u2029]/

/** The id of the table in the name of a pair. Names of several lines are none for DevTools. */
const tableOf = (name: string): number | undefined => {
  const table = name.includes("WeakMap") ? end.exec(name) : null
  if (table === null || !start.test(name) || lineEnd.test(name)) return undefined
  return middle.test(name.slice(0, table.index)) ? Number(table[1]) : undefined
}

/** Makes the function that answers whether an edge from `node` is the one from the table of a WeakMap to a value. */
export const fromTable = (graph: HeapGraph): (node: number, edge: number) => boolean => {
  const internal = edgeType(graph, "internal")
  /** 1 for a name that is no pair, 2 for one that is; 0 for a name that was not seen yet. */
  const seen = new Uint8Array(graph.strings.size)
  /** The id of the table by the number of the name of a pair. */
  const tables = new Map<number, number>()
  return (node, edge) => {
    if (graph.edgeType[edge] !== internal) return false
    const name = graph.edgeName[edge]!
    if (seen[name] === 1) return false
    if (seen[name] === 0) {
      const table = tableOf(graph.strings.text(name))
      seen[name] = table === undefined ? 1 : 2
      if (table === undefined) return false
      tables.set(name, table)
    }
    return tables.get(name) === graph.id[node]
  }
}
