/**
 * The size of each object with the arrays and internals that it alone owns, such as the table of a Map or the elements of an array.
 *
 * The rule is that of Chrome's DevTools: something of V8's own belongs to the one object from which it is reached, and to itself if there
 * are several.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType, nodeType } from "./HeapGraph.ts"
import { isDocuments } from "./retainingEdges.ts"

/** The owner of a node that nothing has reached yet, and of one that several objects reach. */
const unknown = 2 ** 32 - 1
const shared = 2 ** 32 - 2

/** Memory for the result, and for a number of each node. Its content is lost. */
interface Room {
  readonly sizes: Float64Array
  readonly owners: Uint32Array
}

/** Bytes by node. A node that belongs to another one has 0. */
export const ownSizes = (
  graph: HeapGraph,
  { owners, sizes }: Room = { sizes: new Float64Array(graph.nodes), owners: new Uint32Array(graph.nodes) }
): Float64Array => {
  const { nodes, type } = graph
  for (let node = 0; node < nodes; node++) sizes[node] = graph.selfSize[node]!
  if (!showsObjects(graph)) return sizes
  findOwners(graph, owners)
  const synthetic = nodeType(graph, "synthetic")
  for (let node = 0; node < nodes; node++) {
    const owner = owners[node]!
    if (owner === node || owner >= shared || owner === 0 || type[owner] === synthetic) continue
    sizes[owner]! += sizes[node]!
    sizes[node] = 0
  }
  return sizes
}

const findOwners = (graph: HeapGraph, owners: Uint32Array): void => {
  const { edgeType: kind, firstEdge, name, nodes, target, type } = graph
  const hidden = nodeType(graph, "hidden")
  const array = nodeType(graph, "array")
  const native = nodeType(graph, "native")
  const external = graph.strings.find("system / ExternalStringData") ?? -1
  const weak = edgeType(graph, "weak")
  for (let node = 0; node < nodes; node++) {
    const isOwned = type[node] === hidden || type[node] === array || (type[node] === native && name[node] === external)
    owners[node] = isOwned ? unknown : node
  }
  let open = new Uint32Array(1 << 10)
  for (let start = 0; start < nodes; start++) {
    if (owners[start] !== start) continue
    open[0] = start
    for (let count = 1; count > 0;) {
      const node = open[--count]!
      const owner = owners[node]!
      const end = firstEdge[node + 1]!
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const to = target[edge]!
        const now = owners[to]!
        if (now === to || now === owner || now === shared || kind[edge] === weak) continue
        // Visited once more when a second owner is found.
        owners[to] = now === unknown ? owner : shared
        if (count === open.length) {
          const more = new Uint32Array(2 * count)
          more.set(open)
          open = more
        }
        open[count++] = to
      }
    }
  }
}

/** Whether the root leads to objects. If not, the snapshot was taken with internals, and shows memory as it is. */
const showsObjects = (graph: HeapGraph): boolean => {
  const synthetic = nodeType(graph, "synthetic")
  for (let edge = graph.firstEdge[0]!; edge < graph.firstEdge[1]!; edge++) {
    const to = graph.target[edge]!
    if (graph.type[to] !== synthetic || isDocuments(graph, to)) return true
  }
  return false
}
