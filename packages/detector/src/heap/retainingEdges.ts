/**
 * The edges that keep their target alive, as Chrome's DevTools sees it.
 *
 * These retain nothing: weak edges, those from a WeakMap to its values (the key retains the value), those from an object to itself, shortcuts,
 * and those from internals of V8 to what the program can reach.
 */
import { fromTable } from "./Ephemerons.ts"
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType, nodeType } from "./HeapGraph.ts"

/** The edges as a set of one bit each. `room` has a number for each node; its content is lost. */
export const retainingEdges = (graph: HeapGraph, room: Uint32Array): Uint32Array => {
  const { edgeType: type, firstEdge, nodes, target } = graph
  const bits = new Uint32Array(Math.ceil(graph.edges / 32))
  const weak = edgeType(graph, "weak")
  const shortcut = edgeType(graph, "shortcut")
  const internal = edgeType(graph, "internal")
  const isFromTable = fromTable(graph)
  const isReachable = reachableByProgram(graph, room)
  for (let node = 0; node < nodes; node++) {
    const end = firstEdge[node + 1]!
    const isRoot = node === 0
    const isInternal = isReachable[node] === 0
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const kind = type[edge]!
      const to = target[edge]!
      if (kind === weak || to === node) continue
      // The shortcuts of the root lead to the global objects.
      if (!isRoot && (kind === shortcut || (isInternal && isReachable[to] === 1))) continue
      if (kind === internal && isFromTable(node, edge)) continue
      bits[edge >>> 5]! |= 1 << (edge & 31)
    }
  }
  return bits
}

/** Which nodes can be reached from the global objects, to which the root has shortcuts, and from documents of a browser. */
const reachableByProgram = (graph: HeapGraph, open: Uint32Array): Uint8Array => {
  const { edgeType: type, firstEdge, target } = graph
  const weak = edgeType(graph, "weak")
  const shortcut = edgeType(graph, "shortcut")
  const element = edgeType(graph, "element")
  const found = new Uint8Array(graph.nodes)
  let count = 0
  for (let edge = firstEdge[0]!; edge < firstEdge[1]!; edge++) {
    const to = target[edge]!
    if (found[to] === 1) continue
    if (type[edge] !== shortcut && !(type[edge] === element && isDocuments(graph, to))) continue
    found[to] = 1
    open[count++] = to
  }
  while (count > 0) {
    const node = open[--count]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const to = target[edge]!
      if (found[to] === 1 || type[edge] === weak) continue
      found[to] = 1
      open[count++] = to
    }
  }
  return found
}

/** Whether a node is the root of the documents of a browser. */
export const isDocuments = (graph: HeapGraph, node: number): boolean =>
  graph.type[node] === nodeType(graph, "synthetic")
  && graph.name[node] === graph.strings.find("(Document DOM trees)")
