/**
 * Growth by path: which objects became more between two or three snapshots, and what keeps them.
 *
 * **Details**
 *
 * A snapshot is reduced to the number of objects and bytes by signature, and the signature of each object by its id. The topmost signature
 * whose count grows is a growing path: its last step is the members, and what stands before it keeps them. The share of old members that
 * are still there distinguishes a leak from a buffer that is emptied.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { largestMembers } from "./LargestMembers.ts"
import { hasIdsOf, sampleOf } from "./SameIds.ts"
import type { Sample } from "./SameIds.ts"
import { sign, SignatureTree } from "./Signatures.ts"
import type { Signed, Step } from "./Signatures.ts"
import { sortByKey } from "./sortByKey.ts"

/** A snapshot by signature: all that a comparison needs. */
export interface Census {
  readonly tree: SignatureTree
  /** Objects, and their bytes alone, by signature. */
  readonly count: Float64Array
  readonly bytes: Float64Array
  /** The ids of the objects, ascending, and the signature of each. */
  readonly ids: Uint32Array
  readonly signatures: Uint32Array
  /** Some objects by their ids, by which another snapshot shows whether it has the same ids. */
  readonly sample: Sample
  /** Whether objects have the ids that they have in the newest snapshot. */
  readonly hasSameIds: boolean
  /** The most bytes that one object of each signature holds. */
  readonly largest: Float64Array
}

/**
 * Gives the objects of a snapshot their signatures. Snapshots that are compared share a tree. The newest snapshot of a process is signed
 * first, and the others with its census as `newest`: an object then has one signature in all of them.
 */
export const signAs = (graph: HeapGraph, tree: SignatureTree = new SignatureTree(), newest?: Census): SignedAs => {
  const hasSameIds = newest === undefined || hasIdsOf(newest.sample, graph)
  return { ...sign(graph, tree, newest !== undefined && hasSameIds ? lookUp(newest) : undefined), hasSameIds }
}

/** A snapshot whose objects have their signatures. */
export interface SignedAs extends Signed {
  readonly hasSameIds: boolean
}

/** Counts the objects of a snapshot by signature. It takes the memory of what was signed, which is empty afterwards. */
export const censusOf = (graph: HeapGraph, signed: SignedAs): Census => {
  const { hasSameIds, isPart, paths, signature, tree } = signed
  const largest = largestMembers(graph, signed)
  const count = new Float64Array(tree.size)
  const bytes = new Float64Array(tree.size)
  let members = 0
  for (let node = 0; node < graph.nodes; node++) {
    const at = signature[node]!
    bytes[at]! += graph.selfSize[node]!
    if (isPart[node] === 1 || at === 0) continue
    count[at]!++
    members++
  }
  const ids = new Uint32Array(members)
  const signatures = new Uint32Array(members)
  for (let node = 0, at = 0; node < graph.nodes; node++) {
    if (isPart[node] === 1 || signature[node] === 0) continue
    ids[at] = graph.id[node]!
    signatures[at++] = signature[node]!
  }
  // The paths are not needed any more, but their memory is.
  sortByKey(ids, signatures, paths.parent, paths.edge)
  // A collection may come late, and the next analysis needs as much.
  for (const { buffer } of [paths.parent, paths.edge, paths.order, paths.isPassing, isPart, signature]) {
    buffer.transfer(0)
  }
  return { tree, count, bytes, ids, signatures, sample: sampleOf(graph), hasSameIds, largest }
}

/** The signature of an object by its id. */
const lookUp = ({ ids, signatures }: Census) => (id: number): number | undefined => {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ids[middle]! < id) low = middle + 1
    else high = middle
  }
  return ids[low] === id ? signatures[low] : undefined
}

/** A path whose objects become more, or larger. */
export interface GrowingPath {
  readonly steps: ReadonlyArray<Step>
  /** `larger`: the same objects need more memory, such as an array of numbers or the table of a dictionary. */
  readonly how: "more" | "larger"
  /** The number of members in each snapshot, and the bytes of all that is reached through them. */
  readonly counts: ReadonlyArray<number>
  readonly bytes: ReadonlyArray<number>
  /** For each snapshot but the last: how many of its members are still members in the next one. Empty if that is not known. */
  readonly stayed: ReadonlyArray<number>
  readonly bound?: Bound | undefined
}

/** The entries of the fullest container that holds the members, and the most that it takes. */
interface Bound {
  readonly size: number
  readonly most: number
}

/**
 * Answers the bound of the members of a signature, in the newest snapshot. `wasThere` answers whether the first snapshot had an object: a
 * container that is new is one of a growing number.
 */
export type BoundOf = (
  signature: number,
  how: GrowingPath["how"],
  wasThere: (id: number) => boolean
) => Bound | undefined

const limits = {
  /** Members by which a path has to grow: fewer are a bounded collection that is a little larger. */
  members: 8,
  /** Bytes by which it has to grow. */
  bytes: 1024,
  /** Bytes by which objects have to become larger: tables double, and V8 gives back what is too much later. */
  larger: 64 * 1024,
  /** The share of old members that are still there in something that stays; with less it is emptied or renewed. */
  stays: 1 / 2,
  /** The share of the gained bytes that new members make at least; else something below them grew. */
  explains: 1 / 2,
  /** The share of the bytes with which one object is a container of its own, and the members are below it. */
  one: 1 / 2,
  /** The share of new members from which something below them is as many. */
  same: 4 / 5,
  /** Bytes that no process has for one container: with a larger bound it has none. */
  memory: 2 ** 31
} as const

/** The growth of a path in members and bytes that counts at least. */
export interface Least {
  readonly members: number
  readonly bytes: number
}

/** The growing paths, by bytes that they gained: the `most` that gained the most. */
export const growingPaths = (
  censuses: ReadonlyArray<Census>,
  most: number,
  least: Least = limits,
  boundOf: BoundOf = () => undefined
): ReadonlyArray<GrowingPath> => {
  const tree = censuses[0]!.tree
  const last = censuses.length - 1
  const counts = censuses.map(({ count }) => extended(count, tree.size))
  const own = censuses.map((census) => extended(census.bytes, tree.size))
  const bytes = own.map((one) => withBelow(one.slice(), tree))
  const hasIds = censuses.every(({ hasSameIds }) => hasSameIds)
  // Without ids it is not known which objects stayed.
  const stayed = hasIds
    ? censuses.slice(1).map((census, i) => staying(censuses[i]!, census, tree.size))
    : []
  const below = childrenOf(tree)
  const largest = extended(censuses[last]!.largest, tree.size)
  const gained = (values: ReadonlyArray<Float64Array>, at: number): number => values[last]![at]! - values[0]![at]!
  // A path may grow below one that loses more: V8 forgets the code of functions that have not run for a while.
  const increases = withBelow(own[last]!.map((now, at) => Math.max(0, now - own[0]![at]!)), tree)
  const first = lookUp(censuses[0]!)
  const pathOf = ({ how, signature }: Found): GrowingPath => {
    const bound = boundOf(signature, how, (id) => !hasIds || first(id) !== undefined)
    const needs = bound === undefined ? 0 : bytes[last]![signature]! / bound.size * bound.most
    return {
      steps: tree.path(signature),
      how,
      counts: counts.map((count) => count[signature]!),
      bytes: (how === "more" ? bytes : own).map((one) => one[signature]!),
      stayed: stayed.map((one) => one[signature]!),
      ...(needs > 0 && needs < limits.memory ? { bound } : {})
    }
  }
  /** Whether there are more objects of a signature, and these are what its bytes grew by. */
  const becameMore = (at: number): boolean => {
    const share = gained(counts, at) / counts[last]![at]!
    return gained(counts, at) >= least.members && gained(bytes, at) >= least.bytes &&
      share * bytes[last]![at]! >= limits.explains * gained(bytes, at)
      && largest[at]! < limits.one * bytes[last]![at]!
  }
  const stays = (at: number): boolean =>
    counts[0]![at]! > 0 && stayed.every((one, i) => one[at]! >= limits.stays * counts[i]![at]!)
  /**
   * Timers are renewed while the fibers behind them stay, and a chain hangs on what is new each time. Then the members are what stays below:
   * as many more of them, or almost all of the bytes.
   */
  const whatStays = (member: number): number => {
    let level = [member]
    while (level.length > 0) {
      const staying = level.find(stays)
      if (staying !== undefined) return staying
      level = level.flatMap((above) => childrenIn(below, above)).filter((child) =>
        isMember(tree, child) && (gained(counts, child) >= limits.same * gained(counts, member)
          || gained(bytes, child) >= limits.same * gained(bytes, member))
      )
    }
    return member
  }
  // Steps are made for the first ones only: those of all paths of a deep heap would not fit into memory.
  const found: Array<Found> = []
  const add = (signature: number, how: GrowingPath["how"]): void => {
    found.push({ signature, how, gain: gained(how === "more" ? bytes : own, signature) })
  }
  const open = [0]
  while (open.length > 0) {
    const at = open.pop()!
    for (let child = below.first[at]!; child !== 0; child = below.next[child]!) {
      if (increases[child]! < least.bytes) continue
      if (isMember(tree, child)) {
        if (becameMore(child)) {
          add(whatStays(child), "more")
          continue
        }
        if (gained(own, child) >= limits.larger) add(child, "larger")
      }
      open.push(child)
    }
  }
  return found.sort((a, b) => b.gain - a.gain).slice(0, most).map(pathOf)
}

interface Found {
  readonly signature: number
  readonly how: GrowingPath["how"]
  readonly gain: number
}

/** Internals of V8 are kept by what the program does with its own objects, so they are not members; nor are its tables of strings. */
const isMember = (tree: SignatureTree, signature: number): boolean => {
  const { kind } = tree.step(signature)
  return kind !== "root" && kind !== "internal"
    && !(kind === "string" && tree.step(tree.above(signature)).kind === "root")
}

const extended = (values: Float64Array, size: number): Float64Array => {
  if (values.length === size) return values.slice()
  const all = new Float64Array(size)
  all.set(values)
  return all
}

/** Adds to each signature what is below it. */
const withBelow = (bytes: Float64Array, tree: SignatureTree): Float64Array => {
  for (let at = tree.size - 1; at > 0; at--) bytes[tree.above(at)]! += bytes[at]!
  return bytes
}

/** For each signature the number of objects that have it in both snapshots. */
const staying = (before: Census, after: Census, size: number): Float64Array => {
  const count = new Float64Array(size)
  for (let i = 0, k = 0; i < before.ids.length && k < after.ids.length;) {
    const difference = before.ids[i]! - after.ids[k]!
    if (difference === 0 && before.signatures[i] === after.signatures[k]) count[before.signatures[i]!]!++
    if (difference <= 0) i++
    if (difference >= 0) k++
  }
  return count
}

const childrenIn = (below: ReturnType<typeof childrenOf>, above: number): ReadonlyArray<number> => {
  const children: Array<number> = []
  for (let child = below.first[above]!; child !== 0; child = below.next[child]!) children.push(child)
  return children
}

/** The tree from above: the first signature below each, and the next one beside each; 0 for none. */
const childrenOf = (tree: SignatureTree) => {
  const first = new Uint32Array(tree.size)
  const next = new Uint32Array(tree.size)
  for (let at = tree.size - 1; at > 0; at--) {
    const above = tree.above(at)
    next[at] = first[above]!
    first[above] = at
  }
  return { first, next }
}
