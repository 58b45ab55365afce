/** Whether two snapshots give an object the same id, found out by a sample of objects. */
import type { HeapGraph } from "./HeapGraph.ts"
import { nameOf, nodeType } from "./HeapGraph.ts"

/** Some objects of a snapshot by their ids: the type and the class of each. */
export type Sample = ReadonlyMap<number, string>

/** Objects of a sample. */
const sampled = 2000

/** The share of a sample that another snapshot of the process has unchanged, of what it has under these ids. Else it is chance. */
const unchanged = 9 / 10

/**
 * Whether a snapshot has the same ids. Another process has other ids, and V8 gives all objects new ones whenever a session of the
 * inspector ends.
 */
export const hasIdsOf = (sample: Sample, graph: HeapGraph): boolean => {
  let found = 0
  let same = 0
  for (let node = 0; node < graph.nodes; node++) {
    const described = sample.get(graph.id[node]!)
    if (described === undefined) continue
    found++
    if (described === descriptionOf(graph, node)) same++
  }
  return same > 0 && same >= unchanged * found
}

const descriptionOf = (graph: HeapGraph, node: number): string => `${graph.type[node]} ${nameOf(graph, node)}`

/** Every so many-th object or function, described. */
export const sampleOf = (graph: HeapGraph): Sample => {
  const kinds = new Set(["object", "closure"].map((name) => nodeType(graph, name)))
  const step = Math.max(1, Math.floor(graph.nodes / sampled))
  const sample = new Map<number, string>()
  for (let node = 0; node < graph.nodes; node += step) {
    let at = node
    while (at < Math.min(node + step, graph.nodes) && !kinds.has(graph.type[at]!)) at++
    if (at < graph.nodes && kinds.has(graph.type[at]!)) sample.set(graph.id[at]!, descriptionOf(graph, at))
  }
  return sample
}
