/**
 * Entries of WeakMaps: the value stays alive while both its key and the map are alive.
 *
 * V8 writes such an entry as two edges, one from the key and one from the table of the map. Their names differ in the number before the slash
 * only: `3 / part of key (Key @5) -> value (Value @7) pair in WeakMap (table @9)`.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType } from "./HeapGraph.ts"

const pair = /^\d+ \/ part of key \(.*? @\d+\) -> value \(.*? @\d+\) pair in WeakMap \(table @(\d+)\)$/

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
      const text = graph.strings.text(name)
      const table = text.includes("WeakMap") ? pair.exec(text)?.[1] : undefined
      seen[name] = table === undefined ? 1 : 2
      if (table === undefined) return false
      tables.set(name, Number(table))
    }
    return tables.get(name) === graph.id[node]
  }
}
