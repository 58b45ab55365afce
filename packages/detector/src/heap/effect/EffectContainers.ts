/** Effect's containers in a snapshot: their entries, their bounds, and the objects of which they are made. */
import type { HeapGraph } from "../HeapGraph.ts"
import type { Container, ContainerParts, EffectContainerKind } from "./Container.ts"
import {
  containerFields,
  idleFields,
  onlyFiber,
  partitionedFields,
  queueFields,
  ringFields,
  scopeFields
} from "./EffectFields.ts"
import { collectionSize, exactly, storesOf } from "./Sizes.ts"
import type { Size } from "./Sizes.ts"
import {
  contextOf,
  elementsOf,
  field,
  isValue,
  numberIn,
  numberOf,
  reach,
  roomOf,
  tableOf,
  variables
} from "./Values.ts"

/** The kinds of Effect's objects that have entries. */
export const effectContainerKinds: ReadonlyArray<EffectContainerKind> = [
  "Cache",
  "Deferred",
  "FiberHandle",
  "FiberMap",
  "FiberSet",
  "Latch",
  "PartitionedSemaphore",
  "Pool",
  "PubSub",
  "Queue",
  "RcMap",
  "Scope",
  "ScopedCache",
  "Semaphore"
]

/** Reads a container. */
export const effectContainer = (graph: HeapGraph, node: number, kind: EffectContainerKind): Container => {
  const fields = containerFields[kind]
  const waiting = fields?.waiting?.reduce(
    (sum, path) => sum + collectionSize(graph, field(graph, node, ...path)).size,
    0
  )
  return { node, kind, ...sizeOf(graph, node, kind), bound: boundOf(graph, node, kind), waiting }
}

const sizeOf = (graph: HeapGraph, node: number, kind: EffectContainerKind): Size => {
  switch (kind) {
    case "FiberHandle":
      return isThere(graph, node, containerFields.FiberHandle!.entries!)
        ? sizeAt(graph, node, containerFields.FiberHandle!.entries!)
        : exactly(field(graph, node, ...onlyFiber) === undefined ? 0 : 1)
    case "PartitionedSemaphore":
      return takenOf(graph, node)
    case "PubSub": {
      const [published, consumed] = [ringFields.published, ringFields.consumed].map((path) =>
        numberIn(graph, node, ...path)
      )
      return published === undefined || consumed === undefined ? unknown : exactly(published - consumed)
    }
    case "Queue": {
      const known = numberIn(graph, node, ...containerFields.Queue!.size!)
      return known === undefined ? { size: messagesThatShow(graph, node), isExact: false } : exactly(known)
    }
    case "Scope": {
      const { finalizers } = scopeFields(graph, node)
      return exactly(finalizers.length)
    }
    case "Semaphore": {
      const taken = numberIn(graph, node, ...containerFields.Semaphore!.size!)
      return taken === undefined ? unknown : exactly(taken)
    }
    default:
      return sizeAt(graph, node, containerFields[kind]!.entries!)
  }
}

/** A field that has no value yet is not the same as one that another version of Effect does not have. */
const sizeAt = (graph: HeapGraph, node: number, path: ReadonlyArray<string>): Size =>
  isThere(graph, node, path) ? collectionSize(graph, field(graph, node, ...path)) : unknown

const isThere = (graph: HeapGraph, node: number, path: ReadonlyArray<string>): boolean => {
  const owner = field(graph, node, ...path.slice(0, -1))
  return owner !== undefined && reach(graph, owner, "property", path.at(-1)!) !== undefined
}

const unknown: Size = { size: 0, isExact: false }

/** A PubSub without a bound has the largest integer as its capacity. */
const boundOf = (graph: HeapGraph, node: number, kind: EffectContainerKind): number | undefined => {
  if (kind === "PartitionedSemaphore") return numberIn(graph, node, partitionedFields.bound)
  const path = containerFields[kind]?.bound
  if (path === undefined) return Infinity
  const bound = numberIn(graph, node, ...path)
  if (bound !== undefined) return bound >= Number.MAX_SAFE_INTEGER ? Infinity : bound
  // The ring of a PubSub has its full size from the beginning.
  const ring = kind === "PubSub" ? field(graph, node, ...ringFields.ring) : undefined
  return ring === undefined ? undefined : roomOf(graph, ring)
}

const takenOf = (graph: HeapGraph, node: number): Size => {
  const bound = numberIn(graph, node, partitionedFields.bound)
  const context = contextOf(graph, field(graph, node, partitionedFields.functionWithState))
  const free = context === undefined
    ? undefined
    : variables(graph, context).find(({ name }) => name === partitionedFields.free)?.node
  const left = free === undefined ? undefined : numberOf(graph, free)
  return bound === undefined || left === undefined ? unknown : exactly(bound - left)
}

/** A place from which a message was taken is `undefined`. */
const messagesThatShow = (graph: HeapGraph, queue: number): number =>
  bucketsOf(graph, queue).reduce((sum, { array }) => {
    const elements = array === undefined ? [] : elementsOf(graph, array)
    return sum + elements.filter(({ node }) => !isValue(graph, node, "undefined")).length
  }, 0)

const bucketsOf = (
  graph: HeapGraph,
  queue: number
): ReadonlyArray<{ readonly bucket: number; readonly array: number | undefined }> => {
  const found: Array<{ readonly bucket: number; readonly array: number | undefined }> = []
  let bucket = field(graph, queue, ...queueFields.head)
  for (; bucket !== undefined; bucket = field(graph, bucket, queueFields.next)) {
    found.push({ bucket, array: field(graph, bucket, queueFields.array) })
  }
  return found
}

/** The parts of a container. */
export const partsOfEffect = (graph: HeapGraph, node: number, kind: EffectContainerKind): ContainerParts => {
  switch (kind) {
    case "FiberHandle":
      return {
        way: present([field(graph, node, "state")]),
        stores: storesOf(graph, field(graph, node, "state", "fibers"))
      }
    case "PartitionedSemaphore":
    case "Semaphore":
      return { way: [], stores: [] }
    case "PubSub":
      return {
        way: present([field(graph, node, "pubsub")]),
        stores: storesOf(graph, field(graph, node, ...ringFields.ring))
      }
    case "Queue": {
      const buckets = bucketsOf(graph, node)
      return {
        way: present([field(graph, node, "messages"), ...buckets.map(({ bucket }) => bucket)]),
        stores: buckets.flatMap(({ array }) => storesOf(graph, array))
      }
    }
    case "Scope": {
      const { state, table } = scopeFields(graph, node)
      return { way: present([state, field(graph, state, "finalizers")]), stores: present([table]) }
    }
    default: {
      const path = containerFields[kind]!.entries!
      const way = path.slice(0, -1).map((_, i) => field(graph, node, ...path.slice(0, i + 1)))
      // Keys that are compared by value have arrays of their own, by hash.
      const buckets = field(graph, way.at(-1), "buckets")
      const entries = field(graph, node, ...path)
      return {
        way: present(way),
        stores: [...storesOf(graph, entries), ...storesOf(graph, buckets)],
        ...(kind === "RcMap" ? { attached: idleFibers(graph, node, entries) } : {})
      }
    }
  }
}

/** The fibers of idle entries, and their finalizers. */
const idleFibers = (graph: HeapGraph, map: number, entries: number | undefined): ReadonlyArray<number> => {
  const table = entries === undefined ? undefined : tableOf(graph, entries)
  const fibers = new Set(present((table?.entries ?? []).map(({ value }) => field(graph, value, idleFields.fiber))))
  const scope = field(graph, map, idleFields.scope)
  const finalizers = scope === undefined ? [] : scopeFields(graph, scope).finalizers
  return [
    ...fibers,
    ...present(finalizers.map(({ key, value }) => key !== undefined && fibers.has(key) ? value : undefined))
  ]
}

const present = (nodes: ReadonlyArray<number | undefined>): ReadonlyArray<number> =>
  nodes.filter((node) => node !== undefined)
