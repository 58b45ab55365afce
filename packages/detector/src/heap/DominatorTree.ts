/** The dominator tree from above: for each node those that it dominates immediately. */

/** The nodes that `node` dominates immediately are `child[first[node]]` to `child[first[node + 1] - 1]`. */
export interface DominatorTree {
  readonly first: Uint32Array
  readonly child: Uint32Array
}

/** Turns the tree around. */
export const dominatorTree = (dominator: Uint32Array): DominatorTree => {
  const nodes = dominator.length
  const first = new Uint32Array(nodes + 1)
  const child = new Uint32Array(nodes)
  for (let node = 1; node < nodes; node++) first[dominator[node]! + 1]!++
  for (let node = 0; node < nodes; node++) first[node + 1]! += first[node]!
  const next = first.slice()
  for (let node = 1; node < nodes; node++) child[next[dominator[node]!]!++] = node
  return { first, child }
}
