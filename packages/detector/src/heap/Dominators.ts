/**
 * Dominators and retained sizes: how many bytes would be free if an object were gone.
 *
 * **Details**
 *
 * A node dominates another one if every path from the root to that one goes through it. The algorithm is the simple version of T. Lengauer
 * and R. E. Tarjan, "A fast algorithm for finding dominators in a flowgraph", ACM TOPLAS 1 (1979): `m log n` for any graph, also for a list
 * of a million listeners. The arrays are few, and have several uses one after the other: a heap of ten million nodes takes 200 MB.
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
  const order = new Uint32Array(nodes)
  const buffer = new ArrayBuffer(4 * words * nodes)
  const tree = new Uint32Array(buffer)
  const edges = retainingEdges(graph, order)
  visitAll(graph, edges, tree, order)
  findDominators(tree, otherEdges(graph, edges, tree))
  // Dominators go to the last quarter, and sizes to the first half.
  for (let v = nodes - 1; v >= 0; v--) tree[3 * nodes + v] = tree[words * v + dominator]!
  const dominators = tree.subarray(3 * nodes)
  const result = tree.subarray(2 * nodes, 3 * nodes)
  const retainedSize = ownSizes(graph, { sizes: new Float64Array(buffer, 0, nodes), owners: result })
  for (let v = nodes - 1; v > 0; v--) {
    const node = order[v]!
    const above = order[dominators[v]!]!
    result[node] = above
    retainedSize[above]! += retainedSize[node]!
  }
  result[0] = 0
  return { dominator: result, retainedSize }
}

/** No node or position. */
const none = 2 ** 32 - 1

/**
 * Each node has four numbers, side by side because they are read together. Nodes are visited in depth, and a position is the place of a node
 * in the order of these visits. The first three numbers are by position:
 *
 * - `ancestor`: the parent, then a vertex above it;
 * - `label`: the next edge to follow, then the start of its edges of {@link otherEdges}, then the label;
 * - `semi`: the number of its other edges, then their end, then the semidominator;
 * - `position`: the position by node; then, by position, `dominator`: links of buckets, then the dominator.
 */
const words = 4
const ancestor = 0
const label = 1
const semi = 2
const position = 3
const dominator = 3

const has = (edges: Uint32Array, edge: number): boolean => (edges[edge >>> 5]! >>> (edge & 31) & 1) === 1

/**
 * Visits everything: first from the root, then from what nothing retains, as if the root had it. Cliques remain, whose members retain each
 * other. DevTools puts each member below the root, and takes none for a retainer. So their edges leave the set. The edges of the tree leave
 * it too, and the others are counted.
 */
const visitAll = (graph: HeapGraph, edges: Uint32Array, tree: Uint32Array, order: Uint32Array): void => {
  const { firstEdge, nodes, target } = graph
  for (let node = 0; node < nodes; node++) tree[words * node + position] = none
  let visited = visit(graph, edges, tree, order, 0, 0)
  if (visited === nodes) return
  const isRetained = new Uint8Array(nodes)
  for (let edge = 0; edge < graph.edges; edge++) if (has(edges, edge)) isRetained[target[edge]!] = 1
  for (let node = 0; node < nodes; node++) {
    if (tree[words * node + position] === none && isRetained[node] === 0) {
      visited = visit(graph, edges, tree, order, node, visited)
    }
  }
  for (let node = 0; node < nodes; node++) {
    if (tree[words * node + position] !== none) continue
    tree[words * node + position] = visited
    order[visited] = node
    tree[words * visited + ancestor] = 0
    visited++
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) edges[edge >>> 5]! &= ~(1 << (edge & 31))
  }
}

/** Visits what can be reached from a node, a child of the root. Answers how many nodes are visited by now. */
const visit = (
  { firstEdge, target }: HeapGraph,
  edges: Uint32Array,
  tree: Uint32Array,
  order: Uint32Array,
  start: number,
  before: number
): number => {
  let visited = before
  let node = start
  let at = visited
  tree[words * node + position] = at
  order[at] = node
  tree[words * at + ancestor] = 0
  visited++
  let edge = firstEdge[node]!
  for (;;) {
    const end = firstEdge[node + 1]!
    let found = none
    for (; edge < end; edge++) {
      if (!has(edges, edge)) continue
      const to = target[edge]!
      const seen = tree[words * to + position]!
      if (seen === none) {
        found = to
        break
      }
      tree[words * seen + semi]!++
    }
    if (found === none) {
      if (at === before) return visited
      at = tree[words * at + ancestor]!
      node = order[at]!
      edge = tree[words * at + label]!
    } else {
      edges[edge >>> 5]! &= ~(1 << (edge & 31))
      tree[words * at + label] = edge + 1
      tree[words * visited + ancestor] = at
      at = visited
      node = found
      tree[words * node + position] = at
      order[at] = node
      visited++
      edge = firstEdge[node]!
    }
  }
}

/** The sources of the edges that are not in the tree. From `label` to `semi` - 1 of `v` stand the sources of those that lead to `v`. */
const otherEdges = ({ firstEdge, nodes, target }: HeapGraph, edges: Uint32Array, tree: Uint32Array): Uint32Array => {
  let count = 0
  for (let v = 0; v < words * nodes; v += words) {
    count += tree[v + semi]!
    tree[v + label] = count
    tree[v + semi] = count
  }
  const from = new Uint32Array(count)
  for (let node = 0; node < nodes; node++) {
    const source = tree[words * node + position]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      if (has(edges, edge)) from[--tree[words * tree[words * target[edge]! + position]! + label]!] = source
    }
  }
  return from
}

/**
 * The main loop of the paper, whose names are used. Vertices are linked in the order in which they are processed, so those below `w` are not
 * linked, and each is its own label and semidominator. A vertex is in one bucket at most, and only before its dominator is known. So `dominator`
 * also has the buckets: the first member at the vertex of the bucket, which is below `w`, and from `w` on the next member.
 */
const findDominators = (tree: Uint32Array, from: Uint32Array): void => {
  let path = new Uint32Array(1 << 10)

  /** The vertex with the least semidominator on the way from `v` up to a vertex that is not linked, which does not count. */
  const evaluate = (v: number, firstLinked: number): number => {
    let length = 0
    let u = v
    let above = tree[words * u + ancestor]!
    while (above >= firstLinked) {
      if (length === path.length) path = doubled(path)
      path[length++] = u
      u = above
      above = tree[words * u + ancestor]!
    }
    let best = tree[words * u + label]!
    let least = tree[words * best + semi]!
    while (length > 0) {
      const w = path[--length]!
      const own = tree[words * w + label]!
      const ownSemi = tree[words * own + semi]!
      if (least < ownSemi) tree[words * w + label] = best
      else {
        best = own
        least = ownSemi
      }
      tree[words * w + ancestor] = above
    }
    return best
  }

  const n = tree.length / words
  for (let v = 0; v < n; v++) tree[words * v + dominator] = none
  for (let w = n - 1; w > 0; w--) {
    const parent = tree[words * w + ancestor]!
    let least = parent
    const end = tree[words * w + semi]!
    for (let i = tree[words * w + label]!; i < end; i++) {
      const v = from[i]!
      const found = v < w ? v : tree[words * evaluate(v, w + 1) + semi]!
      if (found < least) least = found
    }
    tree[words * w + label] = w
    tree[words * w + semi] = least
    tree[words * w + dominator] = tree[words * least + dominator]!
    tree[words * least + dominator] = w
    for (let v = tree[words * parent + dominator]!; v !== none;) {
      const next = tree[words * v + dominator]!
      const u = evaluate(v, w)
      tree[words * v + dominator] = tree[words * u + semi]! < tree[words * v + semi]! ? u : parent
      v = next
    }
    tree[words * parent + dominator] = none
  }
  tree[dominator] = 0
  for (let w = 1; w < n; w++) {
    const above = tree[words * w + dominator]!
    if (above !== tree[words * w + semi]) tree[words * w + dominator] = tree[words * above + dominator]!
  }
}

const doubled = (numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const more = new Uint32Array(2 * numbers.length)
  more.set(numbers)
  return more
}
