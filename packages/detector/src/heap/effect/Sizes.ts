/**
 * How many entries a Map, a Set and an array have.
 *
 * **Details**
 *
 * V8 writes no small integers into tables and elements. So entries that are nothing but integers do not show, and a collection of integers
 * alone shows only how much room it has. V8 gives room back when most of it is unused, so a collection with room is not empty.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { elementsOf, reach, roomOf, tableOf } from "./Values.ts"
import type { Table } from "./Values.ts"

/** A number of entries; if it is not exact, there are at least so many. */
export interface Size {
  readonly size: number
  readonly isExact: boolean
}

/** The room of a Map or a Set that has just been made. */
const firstRoom = 4
/** The part of its room that a table uses at least: V8 shrinks it when entries are deleted. */
const usedPart = 4

/** The entries of a Map or a Set. */
export const tableSize = ({ entries, hasGaps, room }: Table): Size =>
  entries.length === 0 && room > firstRoom
    ? { size: Math.floor(room / usedPart), isExact: false }
    : { size: entries.length, isExact: !hasGaps && (entries.length > 0 || room === 0) }

/** V8 makes room for half as many elements again, and 16 more. It shrinks an array that uses less than half of it. */
const spare = 16

/** The elements of an array. */
export const arraySize = (graph: HeapGraph, array: number): Size => {
  const elements = elementsOf(graph, array)
  const length = (elements.at(-1)?.index ?? -1) + 1
  const room = roomOf(graph, array)
  return length === 0 && room > 0
    ? { size: Math.max(0, Math.ceil((room - spare) / 2)), isExact: false }
    : { size: length, isExact: elements.length === length }
}

/** The entries of a Map, a Set or an array. One that does not exist yet has none. */
export const collectionSize = (graph: HeapGraph, node: number | undefined): Size => {
  if (node === undefined) return exactly(0)
  const table = tableOf(graph, node)
  return table === undefined ? arraySize(graph, node) : tableSize(table)
}

/** A size that is exact. */
export const exactly = (size: number): Size => ({ size, isExact: true })

/** A Map, a Set or an array, and where it has its entries. */
export const storesOf = (graph: HeapGraph, node: number | undefined): ReadonlyArray<number> =>
  node === undefined
    ? []
    : [node, reach(graph, node, "internal", "table"), reach(graph, node, "internal", "elements")]
      .filter((one) => one !== undefined)
