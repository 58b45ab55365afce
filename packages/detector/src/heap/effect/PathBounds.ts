/**
 * The bounds of growing paths: which objects are entries of a container that takes only so many.
 *
 * **Details**
 *
 * A container excuses the objects of a path only if it limits their number. So each of them has to be below an entry of a container with a
 * bound, and no two of them below the same entry: a list that grows in an entry of a cache has no bound. The innermost container with a
 * bound counts. Many containers excuse nothing if their own number grows.
 */
import type { BoundOf } from "../Growth.ts"
import type { HeapGraph } from "../HeapGraph.ts"
import type { Signed } from "../Signatures.ts"
import { containers } from "./Containers.ts"

/** The members of a signature that a container with a bound holds. */
interface Members {
  /** Whether there are others that no container with a bound holds. */
  hasOthers: boolean
  /** Whether some are entries of a container, or below one; others are parts of the container itself. */
  hasEntries: boolean
  /** Whether two of them are below one entry. */
  sharesEntry: boolean
  readonly holders: Set<Holder>
}

interface Holder {
  readonly id: number
  readonly size: number
  readonly bound: number
}

/** Finds the containers with a bound in the newest snapshot, and what they hold. */
export const pathBounds = (graph: HeapGraph, signed: Signed): BoundOf => boundOf(membersOf(graph, signed))

/** The snapshot is not kept: it is larger than all that is known of it. */
const boundOf = (members: ReadonlyMap<number, Members>): BoundOf => (signature, how, wasThere) => {
  const found = members.get(signature)
  if (found === undefined || found.hasOthers || found.sharesEntry) return undefined
  // An entry that becomes larger is not limited by a number of entries; the array of a container is.
  if (how === "larger" && found.hasEntries) return undefined
  const all = [...found.holders]
  if (all.length > 1 && !all.every(({ id }) => wasThere(id))) return undefined
  const { bound, size } = all.reduce((a, b) => b.size / b.bound > a.size / a.bound ? b : a)
  return { size, most: bound }
}

/** A signature is less than this, so an entry and a signature make one exact number. */
const room = 2 ** 26

const membersOf = (graph: HeapGraph, { isPart, paths, signature }: Signed): ReadonlyMap<number, Members> => {
  const { attachedTo, holderOf, holders, isStore } = partsOf(graph)
  const members = new Map<number, Members>()
  const seen = new Set<number>()
  /** The container around each node, plus 1, and the entry to which the node belongs; 0 for a part of the container. */
  const around = new Uint32Array(graph.nodes)
  const entryOf = new Uint32Array(graph.nodes)

  const isMember = (node: number): boolean => isPart[node] === 0 && signature[node] !== 0

  const count = (node: number): void => {
    const at = signature[node]!
    let found = members.get(at)
    if (found === undefined) {
      members.set(at, found = { hasOthers: false, hasEntries: false, sharesEntry: false, holders: new Set() })
    }
    found.holders.add(holders[around[node]! - 1]!)
    const entry = entryOf[node]!
    if (entry === 0) return
    const key = entry * room + at
    found.hasEntries = true
    found.sharesEntry ||= seen.has(key)
    seen.add(key)
  }

  for (const node of paths.order) {
    const above = paths.parent[node]!
    if (holderOf[node] !== 0) around[node] = holderOf[node]!
    else if (attachedTo[node] !== 0 || isStore[above] === 1) {
      around[node] = attachedTo[node]! || holderOf[above]!
      entryOf[node] = node
    } else if (holderOf[above] === 0) {
      around[node] = around[above]!
      entryOf[node] = entryOf[above]!
    }
    if (isMember(node) && around[node] !== 0) count(node)
  }
  for (const node of paths.order) {
    const found = isMember(node) && around[node] === 0 ? members.get(signature[node]!) : undefined
    if (found !== undefined) found.hasOthers = true
  }
  return members
}

/** The container, plus 1, of which each node is a part, or to an entry of which it is attached, and the parts that refer to entries. */
const partsOf = (graph: HeapGraph) => {
  const holderOf = new Uint32Array(graph.nodes)
  const attachedTo = new Uint32Array(graph.nodes)
  const isStore = new Uint8Array(graph.nodes)
  const holders: Array<Holder> = []
  for (const { attached = [], bound, node, size, stores, way } of containers(graph).bounded()) {
    if (size === 0 || stores.length === 0) continue
    holders.push({ id: graph.id[node]!, size, bound })
    for (const part of [...way, ...stores]) holderOf[part] = holders.length
    for (const part of stores) isStore[part] = 1
    for (const one of attached) attachedTo[one] = holders.length
  }
  return { attachedTo, holderOf, holders, isStore }
}
