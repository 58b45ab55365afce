/**
 * The objects in which memory accumulates. The dominator tree is followed down from the root to each child that retains much, and a node
 * holds what it retains without these children. So what all holders hold is never more than the heap.
 *
 * A link of a list retains the rest of the list and holds little itself. Links of one class are counted together, at the first one.
 */
import { classGroups } from "./Classes.ts"
import type { Dominators } from "./Dominators.ts"
import type { DominatorTree } from "./DominatorTree.ts"
import type { HeapGraph } from "./HeapGraph.ts"
import { nodeType } from "./HeapGraph.ts"

/**
 * An object in which memory accumulates: `held` bytes, not counting other holders below it. `members` is the class below it that takes the
 * most of them.
 */
export interface Holder {
  readonly node: number
  readonly held: number
  readonly members: { readonly name: string; readonly count: number } | undefined
}

/** The share of the heap that a holder holds at least. */
const least = 1 / 100

/** A node on the way down, and the list that it may be a link of. */
interface Visit {
  readonly node: number
  readonly list: { readonly head: number; readonly links: number; readonly held: number } | undefined
}

/** The holders, those that hold the most first. */
export const holdersOf = (
  graph: HeapGraph,
  { dominator, retainedSize }: Dominators,
  { child, first }: DominatorTree
): ReadonlyArray<Holder> => {
  const { group, names } = classGroups(graph)
  const [array, hidden, synthetic] = ["array", "hidden", "synthetic"].map((name) => nodeType(graph, name))
  const isPart = (node: number): boolean => graph.type[node] === array || graph.type[node] === hidden
  const much = least * retainedSize[0]!
  const found = new Map<number, Holder>()

  /** The table of a Map belongs to the Map. */
  const ownerOf = (node: number): number => {
    let at = node
    while (isPart(at) && dominator[at] !== 0) at = dominator[at]!
    return at
  }

  const membersOf = (node: number): Holder["members"] => {
    const count = new Map<number, number>()
    const bytes = new Map<number, number>()
    for (let i = first[node]!; i < first[node + 1]!; i++) {
      const below = child[i]!
      if (retainedSize[below]! >= much) continue
      count.set(group[below]!, (count.get(group[below]!) ?? 0) + 1)
      bytes.set(group[below]!, (bytes.get(group[below]!) ?? 0) + retainedSize[below]!)
    }
    const [most] = [...bytes].sort((a, b) => b[1] - a[1])
    return most === undefined ? undefined : { name: names[most[0]]!, count: count.get(most[0])! }
  }

  /** The end of a list is too small to be followed for its memory. */
  const linksBelow = (node: number): number => {
    const next = (from: number): number => {
      for (let i = first[from]!; i < first[from + 1]!; i++) if (group[child[i]!] === group[node]) return child[i]!
      return 0
    }
    let links = 0
    for (let at = next(node); at !== 0; at = next(at)) links++
    return links
  }

  const add = (node: number, held: number, members: Holder["members"]): void => {
    const before = found.get(node)
    found.set(node, before === undefined ? { node, held, members } : { ...before, held: before.held + held })
  }

  const open: Array<Visit> = [{ node: 0, list: undefined }]
  while (open.length > 0) {
    const { list, node } = open.pop()!
    const big: Array<number> = []
    let held = retainedSize[node]!
    for (let i = first[node]!; i < first[node + 1]!; i++) {
      if (retainedSize[child[i]!]! < much) continue
      big.push(child[i]!)
      held -= retainedSize[child[i]!]!
    }
    const [next = 0] = big
    const isLink = big.length === 1 && held < much &&
      (group[next] === group[node] || group[next] === group[dominator[node]!])
    if (isLink) {
      open.push({
        node: next,
        list: { head: list?.head ?? node, links: (list?.links ?? 0) + 1, held: (list?.held ?? 0) + held }
      })
      continue
    }
    if (list !== undefined && list.held + held >= much) {
      const count = list.links + 1 + linksBelow(node)
      add(list.head, list.held + held, { name: names[group[list.head]!]!, count })
    } else if (held >= much && graph.type[node] !== synthetic) add(ownerOf(node), held, membersOf(node))
    for (const below of big) open.push({ node: below, list: undefined })
  }
  return [...found.values()].sort((a, b) => b.held - a.held)
}
