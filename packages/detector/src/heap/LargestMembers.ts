/** The most memory that one object of each signature holds: an object that holds most of it is a container, and no member of one. */
import type { HeapGraph } from "./HeapGraph.ts"
import type { Signed } from "./Signatures.ts"

/** Nodes between two links of a list, with the parts of these: a signature repeats within a few steps. */
const foldWithin = 8

/**
 * Bytes by signature: those of the object that holds the most, with all that is reached through it. The links of a list have one signature,
 * and each counts without the next one.
 */
export const largestMembers = (graph: HeapGraph, { isPart, paths, signature, tree }: Signed): Float64Array => {
  const { order, parent } = paths
  /** The node to which the memory of each one counts: its parent, or the parent of the first link of a list. */
  const holder = new Uint32Array(graph.nodes)
  for (let i = 1; i < order.length; i++) {
    const node = order[i]!
    holder[node] = parent[node]!
    if (isPart[node] === 1) continue
    for (let at = parent[node]!, steps = 0; at !== 0 && steps < foldWithin; at = parent[at]!, steps++) {
      if (signature[at] !== signature[node] || isPart[at] === 1) continue
      holder[node] = holder[at]!
      break
    }
  }
  const held = new Float64Array(graph.nodes)
  const largest = new Float64Array(tree.size)
  for (let i = order.length - 1; i > 0; i--) {
    const node = order[i]!
    const bytes = held[node]! + graph.selfSize[node]!
    held[holder[node]!]! += bytes
    const at = signature[node]!
    if (isPart[node] === 0 && bytes > largest[at]!) largest[at] = bytes
  }
  return largest
}
