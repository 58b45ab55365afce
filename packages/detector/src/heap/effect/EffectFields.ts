/**
 * The private fields of Effect's objects, as they appear in heap snapshots.
 *
 * **Details**
 *
 * Everything here was read in the sources of effect 4.1.0, and `test/heap/effect/EffectFields.test.ts` reads all of it from a snapshot of a
 * program that has one of each. An object is known by the identifier that Effect gives its kind, such as `~effect/Queue`, which is a field of
 * the object or of its prototype, and not by the name of its class, which a bundler may change. Kinds without an identifier are known by two
 * fields.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeType, nodeType } from "../HeapGraph.ts"
import { contextOf, elementsOf, field, isValue, numberIn, reach, tableOf, textOf } from "./Values.ts"
import type { Entry } from "./Values.ts"

/** The kinds of objects that are known. */
export type EffectKind =
  | "Cache"
  | "Deferred"
  | "Fiber"
  | "FiberHandle"
  | "FiberMap"
  | "FiberSet"
  | "Latch"
  | "PartitionedSemaphore"
  | "Pool"
  | "PubSub"
  | "Queue"
  | "RcMap"
  | "RcRef"
  | "Scope"
  | "ScopedCache"
  | "Semaphore"
  | "Subscription"

/** The field by which a kind is known: its own, with another one, or that of its prototype. */
interface Mark {
  readonly kind: EffectKind
  readonly name: string
  readonly on: "object" | "prototype"
  readonly with?: string
}

const marks: ReadonlyArray<Mark> = [
  { kind: "Cache", name: "~effect/Cache", on: "prototype" },
  { kind: "Deferred", name: "~effect/Deferred", on: "prototype" },
  { kind: "Fiber", name: "_observers", on: "object", with: "_stack" },
  { kind: "FiberHandle", name: "~effect/FiberHandle", on: "prototype" },
  { kind: "FiberMap", name: "~effect/FiberMap", on: "prototype" },
  { kind: "FiberSet", name: "~effect/FiberSet", on: "prototype" },
  { kind: "Latch", name: "flushScheduled", on: "object", with: "waiters" },
  { kind: "PartitionedSemaphore", name: "~effect/PartitionedSemaphore", on: "object" },
  { kind: "Pool", name: "~effect/Pool", on: "object" },
  { kind: "PubSub", name: "~effect/PubSub", on: "object" },
  { kind: "Queue", name: "~effect/Queue", on: "prototype" },
  { kind: "RcMap", name: "~effect/RcMap", on: "object" },
  { kind: "RcRef", name: "~effect/RcRef", on: "object" },
  { kind: "Scope", name: "~effect/Scope", on: "object" },
  { kind: "ScopedCache", name: "~effect/ScopedCache", on: "prototype" },
  { kind: "Semaphore", name: "withPermit", on: "object", with: "waiters" },
  { kind: "Subscription", name: "~effect/PubSub/Subscription", on: "object" }
]

/** Effect's objects in a snapshot. */
export interface EffectObjects {
  readonly kindOf: (node: number) => EffectKind | undefined
  readonly all: (kind: EffectKind) => ReadonlyArray<number>
}

/** Finds Effect's objects. */
export const effectObjects = (graph: HeapGraph): EffectObjects => {
  const { edgeName, edgeType: types, firstEdge, nodes, target } = graph
  const property = edgeType(graph, "property")
  const object = nodeType(graph, "object")
  /** The position of a mark, plus 1, by the number of its name. */
  const markOf = new Uint8Array(graph.strings.size)
  for (const [i, { name }] of marks.entries()) {
    const number = graph.strings.find(name)
    if (number !== undefined) markOf[number] = i + 1
  }
  const kinds = new Uint8Array(nodes)
  const prototypes = new Map<number, number>()
  for (let node = 0; node < nodes; node++) {
    if (graph.type[node] !== object) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const at = types[edge] === property ? markOf[edgeName[edge]!]! : 0
      if (at === 0) continue
      const mark = marks[at - 1]!
      if (mark.on === "prototype") prototypes.set(node, at)
      else if (mark.with === undefined || reach(graph, node, "property", mark.with) !== undefined) kinds[node] = at
    }
  }
  const proto = graph.strings.find("__proto__") ?? -1
  for (let node = 0; node < nodes && prototypes.size > 0; node++) {
    if (graph.type[node] !== object) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      if (edgeName[edge] !== proto || types[edge] !== property) continue
      const at = prototypes.get(target[edge]!)
      if (at !== undefined) kinds[node] = at
    }
  }
  const found = new Map<EffectKind, Array<number>>()
  for (let node = 0; node < nodes; node++) {
    if (kinds[node] === 0) continue
    const { kind } = marks[kinds[node]! - 1]!
    const list = found.get(kind)
    if (list === undefined) found.set(kind, [node])
    else list.push(node)
  }
  return { kindOf: (node) => marks[kinds[node]! - 1]?.kind, all: (kind) => found.get(kind) ?? [] }
}

/** The fields of a container that say how full it is: paths of field names. */
export interface ContainerFields {
  /** A Map, a Set or an array with the entries. */
  readonly entries?: ReadonlyArray<string>
  /** The number of entries, where there is a field for it. */
  readonly size?: ReadonlyArray<string>
  readonly bound?: ReadonlyArray<string>
  /** A Set or an array of those that wait. */
  readonly waiting?: ReadonlyArray<ReadonlyArray<string>>
}

/** The containers with fields. A Queue has a list of arrays besides, a PubSub a ring or a list: see {@link queueFields} and {@link ringFields}. */
export const containerFields: Readonly<Partial<Record<EffectKind, ContainerFields>>> = {
  Cache: { entries: ["map", "backing"], bound: ["capacity"] },
  Deferred: { entries: ["resumes"] },
  FiberHandle: { entries: ["state", "fibers"] },
  FiberMap: { entries: ["state", "backing", "backing"] },
  FiberSet: { entries: ["state", "backing"] },
  Latch: { entries: ["waiters"] },
  Pool: { entries: ["state", "items"], bound: ["config", "maxSize"], waiting: [["state", "waiters"]] },
  PubSub: { bound: ["pubsub", "capacity"] },
  Queue: {
    size: ["messages", "length"],
    bound: ["capacity"],
    waiting: [["state", "takers"], ["state", "offers"], ["state", "awaiters"]]
  },
  RcMap: { entries: ["state", "map", "backing"], bound: ["capacity"] },
  ScopedCache: { entries: ["state", "map", "backing"], bound: ["capacity"] },
  Semaphore: { size: ["taken"], bound: ["permits"], waiting: [["waiters"]] }
}

/** A FiberHandle of 4.0.0-rc.111 and before has a single fiber, and no Set of those that still end. */
export const onlyFiber = ["state", "fiber"] as const

/** A Queue: the first bucket of its messages; a bucket has an array and the next bucket. */
export const queueFields = { head: ["messages", "head"], array: "array", next: "next" } as const

/** A PubSub: its ring, or its list, with two positions whose difference is the number of messages. */
export const ringFields = {
  ring: ["pubsub", "array"],
  first: ["pubsub", "publisherHead"],
  next: "next",
  published: ["pubsub", "publisherIndex"],
  consumed: ["pubsub", "subscribersIndex"],
  subscribers: ["subscribers"]
} as const

/** An entry of an RcMap that is idle has a fiber that removes it, which is also the key of a finalizer in the scope of the map. */
export const idleFields = { fiber: "fiber", scope: "scope" } as const

/** A PartitionedSemaphore keeps its state in variables of its functions. */
export const partitionedFields = { bound: "capacity", functionWithState: "take", free: "totalPermits" } as const

/** A fiber. */
export interface FiberFields {
  /** Only in a snapshot that has numbers. */
  readonly id: number | undefined
  readonly parent: number | undefined
  readonly children: ReadonlyArray<number>
  /** The continuations, the innermost last. */
  readonly stack: ReadonlyArray<number>
  /** The names of its frames, the innermost first. */
  readonly frames: ReadonlyArray<string>
  readonly span: string | undefined
  /** The scope that it has as a service. */
  readonly scope: number | undefined
  /** The context of the callback that resumes it: only a closure with this context can. Absent for a fiber that is not suspended. */
  readonly wake: number | undefined
  readonly hasEnded: boolean
  readonly isRunning: boolean
  readonly isInterrupting: boolean
}

const mostFrames = 8

/** Reads a fiber. Before 4.0.0-rc.113 it has its frames itself, and not in a cache. */
export const fiberFields = (graph: HeapGraph, fiber: number): FiberFields => {
  const cache = field(graph, fiber, "cache")
  const span = cache === undefined ? field(graph, fiber, "currentSpan") : field(graph, cache, "span")
  const children = field(graph, fiber, "_children")
  const stack = field(graph, fiber, "_stack")
  const frames: Array<string> = []
  let frame = cache === undefined ? field(graph, fiber, "currentStackFrame") : field(graph, cache, "stackFrame")
  for (; frame !== undefined && frames.length < mostFrames; frame = field(graph, frame, "parent")) {
    const name = textOf(graph, field(graph, frame, "name"))
    // `Effect.fn` adds a second frame for the place where the function was defined.
    if (name !== undefined && !name.endsWith(" (definition)")) frames.push(name)
  }
  return {
    id: numberIn(graph, fiber, "id"),
    parent: field(graph, fiber, "_parent"),
    children: children === undefined ? [] : keysOf(tableOf(graph, children)?.entries ?? []),
    stack: stack === undefined ? [] : elementsOf(graph, stack).map(({ node }) => node),
    frames,
    span: textOf(graph, field(graph, span, "name")),
    scope: serviceOf(graph, field(graph, fiber, "context"), "effect/Scope"),
    wake: contextOf(graph, field(graph, fiber, "_yielded")),
    hasEnded: field(graph, fiber, "_exit") !== undefined,
    isRunning: isValue(graph, reach(graph, fiber, "property", "_running"), "true"),
    isInterrupting: field(graph, fiber, "_interruptedCause") !== undefined
  }
}

const keysOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<number> =>
  entries.flatMap(({ key }) => key === undefined ? [] : [key])

/** A service of a context: it is in one of the overlays, or in the Map below them. */
const serviceOf = (graph: HeapGraph, context: number | undefined, key: string): number | undefined => {
  let overlay = field(graph, context, "overlay")
  for (; overlay !== undefined; overlay = field(graph, overlay, "parent")) {
    if (textOf(graph, field(graph, overlay, "key")) === key) return field(graph, overlay, "value")
  }
  const base = field(graph, context, "base")
  const entries = base === undefined ? [] : tableOf(graph, base)?.entries ?? []
  return entries.find((entry) => textOf(graph, entry.key) === key)?.value
}

/** A scope with its finalizers. The key of a finalizer that interrupts a fiber is the fiber. */
export interface ScopeFields {
  readonly isClosed: boolean
  readonly state: number | undefined
  /** The table of the finalizers; absent where there is only one. */
  readonly table: number | undefined
  readonly finalizers: ReadonlyArray<Entry>
}

/** Reads a scope. */
export const scopeFields = (graph: HeapGraph, scope: number): ScopeFields => {
  const state = field(graph, scope, "state")
  const only = field(graph, state, "finalizer")
  const map = field(graph, state, "finalizers")
  const table = map === undefined ? undefined : tableOf(graph, map)
  return {
    isClosed: textOf(graph, field(graph, state, "_tag")) === "Closed",
    state,
    table: table?.node,
    finalizers: table?.entries
      ?? (only === undefined ? [] : [{ key: field(graph, state, "finalizerKey"), value: only }])
  }
}

/** The objects that list the fibers of a container, besides the container: each of their references to a fiber only lists it. */
export const fiberLists = (
  graph: HeapGraph,
  node: number,
  kind: "FiberHandle" | "FiberMap" | "FiberSet"
): ReadonlyArray<number> => {
  const state = field(graph, node, "state")
  const backing = field(graph, state, "backing")
  const collections = [
    field(graph, state, "fibers"),
    kind === "FiberMap" ? field(graph, backing, "backing") : backing
  ]
  const tables = collections.flatMap((one) => one === undefined ? [] : tableOf(graph, one)?.node ?? [])
  return state === undefined ? tables : [state, ...tables]
}

/** A continuation on the stack of a fiber, or an effect that it still has to run. */
export const effectFields = {
  /** The effect inside of it, or the function of the effect. */
  args: "~effect/Effect/args",
  successCont: "~effect/Effect/successCont",
  failureCont: "~effect/Effect/failureCont",
  payload: "payload",
  onExit: "onExit",
  /** Of `Effect.gen`: the generator. */
  iterator: "iterator",
  /** The object that `yield*` makes has the effect, and whether it was yielded. */
  yielded: "value",
  wasYielded: "done",
  /** Of `Effect.callback`: the function that gets the callback. */
  register: "register",
  /** Variables beside the callback: whether it was called, and the controller of a promise with a signal. */
  resumed: "resumed",
  controller: "controller"
} as const

/** Fiberscope's own lists of fibers: the nursery of the census, and the tasks of a TaskManager. */
export const ownLists = {
  /** Arrays of the object that has a field of this name. */
  nursery: { known: "#nurseryIds", list: "#fibers" },
  /** A field of the object that has fields of these names. */
  task: { known: ["capturedAt", "special"], list: "fiber" }
} as const
