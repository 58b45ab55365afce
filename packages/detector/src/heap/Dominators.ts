/**
 * Dominators and retained sizes: how many bytes would be free if an object were gone.
 *
 * **Details**
 *
 * A node dominates another one if every path from the root to that one goes through it. The algorithm is the simple version of T. Lengauer
 * and R. E. Tarjan, "A fast algorithm for finding dominators in a flowgraph", ACM TOPLAS 1 (1979): `m log n` for any graph, also for a list
 * of a million listeners. The arrays are few, and most have two uses one after the other: a heap of ten million nodes takes 40 MB for each.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { ownSizes } from "./ownSizes.ts"
import { retainingEdges } from "./retainingEdges.ts"

/** The dominator tree of a heap. */
export interface Dominators {
  /** The immediate dominator of each node. The root and what nothing retains have the root. */
  readonly dominator: Uint32Array
  /** Bytes of each node and of all that it dominates. */
  readonly retainedSize: Float64Array
}

/** Computes the dominator tree. */
export const dominatorsOf = (graph: HeapGraph): Dominators => {
  const { nodes } = graph
  const tree = emptyTree(nodes)
  const edges = retainingEdges(graph, tree.ancestor)
  visitAll(graph, edges, tree)
  findDominators(tree, otherEdges(graph, edges, tree))
  const { ancestor, label, number, order, twoWords } = tree
  label.set(tree.dominator)
  // From here on, `semi` and `dominator` are overwritten, and positions are not needed any more.
  const retainedSize = ownSizes(graph, { sizes: new Float64Array(twoWords), owners: ancestor })
  const dominator = number
  for (let i = nodes - 1; i > 0; i--) {
    const node = order[i]!
    const above = order[label[i]!]!
    dominator[node] = above
    retainedSize[above]! += retainedSize[node]!
  }
  dominator[0] = 0
  return { dominator, retainedSize }
}

/** No node or position. */
const none = 2 ** 32 - 1

/**
 * A tree of first visits in depth. A position is the place of a node in the order of these visits. All arrays but `number` are by position, and
 * all but `order` contain positions.
 */
interface Tree {
  readonly order: Uint32Array<ArrayBuffer>
  /** The position of each node. */
  readonly number: Uint32Array<ArrayBuffer>
  /** First the parent, then a vertex above it. */
  readonly ancestor: Uint32Array<ArrayBuffer>
  /** First the next edge to follow, then where its edges of {@link otherEdges} start, then the label. */
  readonly label: Uint32Array<ArrayBuffer>
  /** First the number of its other edges, then where they end, then the semidominator. */
  readonly semi: Uint32Array<ArrayBuffer>
  /** First links of buckets, then the dominator. */
  readonly dominator: Uint32Array<ArrayBuffer>
  /** The memory of `semi` and `dominator`. */
  readonly twoWords: ArrayBuffer
}

const emptyTree = (nodes: number): Tree => {
  const twoWords = new ArrayBuffer(8 * nodes)
  return {
    order: new Uint32Array(nodes),
    number: new Uint32Array(nodes).fill(none),
    ancestor: new Uint32Array(nodes),
    label: new Uint32Array(nodes),
    semi: new Uint32Array(twoWords, 0, nodes),
    dominator: new Uint32Array(twoWords, 4 * nodes, nodes).fill(none),
    twoWords
  }
}

const has = (edges: Uint32Array, edge: number): boolean => (edges[edge >>> 5]! >>> (edge & 31) & 1) === 1

/**
 * Visits everything: first from the root, then from what nothing retains, as if the root had it. Cliques remain, whose members retain each
 * other. DevTools puts each member below the root, and takes none for a retainer. So their edges leave the set. The edges of the tree leave
 * it too, and the others are counted.
 */
const visitAll = (graph: HeapGraph, edges: Uint32Array, tree: Tree): void => {
  const { firstEdge, nodes, target } = graph
  const { number, order } = tree
  let visited = visit(graph, edges, tree, 0, 0)
  if (visited === nodes) return
  const isRetained = new Uint8Array(nodes)
  for (let edge = 0; edge < graph.edges; edge++) if (has(edges, edge)) isRetained[target[edge]!] = 1
  for (let node = 0; node < nodes; node++) {
    if (number[node] === none && isRetained[node] === 0) visited = visit(graph, edges, tree, node, visited)
  }
  for (let node = 0; node < nodes; node++) {
    if (number[node] !== none) continue
    number[node] = visited
    order[visited] = node
    tree.ancestor[visited++] = 0
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) edges[edge >>> 5]! &= ~(1 << (edge & 31))
  }
}

/** Visits what can be reached from a node, a child of the root. Answers how many nodes are visited by now. */
const visit = (graph: HeapGraph, edges: Uint32Array, tree: Tree, start: number, before: number): number => {
  const { firstEdge, target } = graph
  const { ancestor, label: next, number, order, semi } = tree
  let visited = before
  let node = start
  let position = visited
  number[node] = position
  order[position] = node
  ancestor[position] = 0
  visited++
  let edge = firstEdge[node]!
  for (;;) {
    const end = firstEdge[node + 1]!
    let found = none
    for (; edge < end; edge++) {
      if (!has(edges, edge)) continue
      const to = target[edge]!
      const seen = number[to]!
      if (seen === none) {
        found = to
        break
      }
      semi[seen]!++
    }
    if (found === none) {
      if (position === before) return visited
      position = ancestor[position]!
      node = order[position]!
      edge = next[position]!
    } else {
      edges[edge >>> 5]! &= ~(1 << (edge & 31))
      next[position] = edge + 1
      ancestor[visited] = position
      position = visited
      node = found
      number[node] = position
      order[position] = node
      visited++
      edge = firstEdge[node]!
    }
  }
}

/** The sources of the edges that are not in the tree. From `label[v]` to `semi[v] - 1` stand the sources of those that lead to `v`. */
const otherEdges = (graph: HeapGraph, edges: Uint32Array, { label, number, semi }: Tree): Uint32Array => {
  const { firstEdge, nodes, target } = graph
  let count = 0
  for (let v = 0; v < nodes; v++) {
    count += semi[v]!
    label[v] = count
    semi[v] = count
  }
  const from = new Uint32Array(count)
  for (let node = 0; node < nodes; node++) {
    const source = number[node]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      if (has(edges, edge)) from[--label[number[target[edge]!]!]!] = source
    }
  }
  return from
}

/**
 * The main loop of the paper, whose names are used. Vertices are linked in the order in which they are processed, so those below `w` are not
 * linked, and each is its own label and semidominator. A vertex is in one bucket at most, and only before its dominator is known. So `dominator`
 * also has the buckets: the first member at the vertex of the bucket, which is below `w`, and from `w` on the next member.
 */
const findDominators = ({ ancestor, dominator, label, semi }: Tree, from: Uint32Array): void => {
  let path = new Uint32Array(1 << 10)

  /** The vertex with the least semidominator on the way from `v` up to a vertex that is not linked, which does not count. */
  const evaluate = (v: number, firstLinked: number): number => {
    let length = 0
    let u = v
    let above = ancestor[u]!
    while (above >= firstLinked) {
      if (length === path.length) path = doubled(path)
      path[length++] = u
      u = above
      above = ancestor[u]!
    }
    let best = label[u]!
    let least = semi[best]!
    while (length > 0) {
      const w = path[--length]!
      const own = label[w]!
      const ownSemi = semi[own]!
      if (least < ownSemi) label[w] = best
      else {
        best = own
        least = ownSemi
      }
      ancestor[w] = above
    }
    return best
  }

  const n = ancestor.length
  for (let w = n - 1; w > 0; w--) {
    const parent = ancestor[w]!
    let least = parent
    const end = semi[w]!
    for (let i = label[w]!; i < end; i++) {
      const v = from[i]!
      const found = v < w ? v : semi[evaluate(v, w + 1)]!
      if (found < least) least = found
    }
    label[w] = w
    semi[w] = least
    dominator[w] = dominator[least]!
    dominator[least] = w
    for (let v = dominator[parent]!; v !== none;) {
      const next = dominator[v]!
      const u = evaluate(v, w)
      dominator[v] = semi[u]! < semi[v]! ? u : parent
      v = next
    }
    dominator[parent] = none
  }
  dominator[0] = 0
  for (let w = 1; w < n; w++) {
    if (dominator[w] !== semi[w]) dominator[w] = dominator[dominator[w]!]!
  }
}

const doubled = (numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const more = new Uint32Array(2 * numbers.length)
  more.set(numbers)
  return more
}
