/**
 * Caches of the package `lru-cache`, versions 7 to 11, in a snapshot.
 *
 * **Details**
 *
 * The package is published minified, so its class and its private fields have short names that differ from one version to the next. It is
 * known by two of its public fields. The order of its private fields has not changed since version 8: the numbers before the Map of its
 * keys are the most entries, the largest sum of sizes, the entries, and the sum of sizes. Version 7 has names for them.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeNameOf, edgeType, nameOf } from "../HeapGraph.ts"
import type { Container, ContainerParts } from "./Container.ts"
import { collectionSize, exactly, storesOf } from "./Sizes.ts"
import { numberIn, numberOf, roomOf } from "./Values.ts"

/** The public fields by which a cache is known. */
export const lruFields = ["noDisposeOnSet", "updateAgeOnGet"] as const

/** The numbers of a cache, in the order of its private fields, and by their names in version 7, where the last one may be absent. */
const names = ["max", "maxSize", "size", "calculatedSize"] as const

/** Reads a cache. */
export const lruCache = (graph: HeapGraph, node: number): Container => {
  const { arrays, map, numbers: [most, largest, entries, sum] } = fieldsOf(graph, node)
  // A cache with a number of entries makes its arrays as large as that. If they are not, these are other numbers.
  const isKnown = entries !== undefined && arrays.every((array) => roomOf(graph, array) >= most!)
  if (!isKnown) return { node, kind: "LRUCache", ...collectionSize(graph, map) }
  if (most! > 0) return { node, kind: "LRUCache", ...exactly(entries), bound: most }
  if (largest! === 0) return { node, kind: "LRUCache", ...exactly(entries), bound: Infinity }
  return sum === undefined
    ? { node, kind: "LRUCache", ...exactly(entries) }
    : { node, kind: "LRUCache", ...exactly(sum), bound: largest }
}

/** The keys and the values of a cache. */
export const partsOfLruCache = (graph: HeapGraph, node: number): ContainerParts => {
  const { arrays, map } = fieldsOf(graph, node)
  return { way: [], stores: [map, ...arrays].flatMap((one) => storesOf(graph, one)) }
}

interface Fields {
  readonly numbers: ReadonlyArray<number>
  readonly map: number | undefined
  readonly arrays: ReadonlyArray<number>
}

const fieldsOf = (graph: HeapGraph, node: number): Fields => {
  const property = edgeType(graph, "property")
  const numbers = names.flatMap((name) => numberIn(graph, node, name) ?? [])
  const hasNames = numbers.length >= names.length - 1
  const arrays: Array<number> = []
  let map: number | undefined
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
    if (graph.edgeType[edge] !== property) continue
    const to = graph.target[edge]!
    const number = numberOf(graph, to)
    if (number === undefined) {
      const name = nameOf(graph, to)
      if (name === "Map") map ??= to
      else if (name === "Array") arrays.push(to)
    } else if (!hasNames && map === undefined && edgeNameOf(graph, edge).startsWith("#")) numbers.push(number)
  }
  return { numbers: hasNames ? numbers : numbers.slice(0, names.length), map, arrays }
}
