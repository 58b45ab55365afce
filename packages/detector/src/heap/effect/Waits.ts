/**
 * The object that a suspended fiber waits for, as far as a snapshot shows it.
 *
 * **Details**
 *
 * A fiber that is suspended keeps one closure, which marks its callback as called. Beside it, in the same context, are the cleanup of the
 * callback and, for a promise, the controller of its signal. A cleanup leads to the object in which the callback is registered: a timer, a
 * Deferred, a queue. Some waits have no cleanup: semaphores and pools clean up in a continuation on the stack, and `Effect.gen` shows the
 * effect that it yielded. A promise without a signal shows in neither, and `Effect.never` only in `Effect.gen`.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeType, nameOf, nodeType } from "../HeapGraph.ts"
import type { ScriptPlace } from "../Scripts.ts"
import { effectFields } from "./EffectFields.ts"
import type { EffectKind, EffectObjects, FiberFields } from "./EffectFields.ts"
import { contextOf, field, reach, tableOf, variables } from "./Values.ts"

/**
 * The thing that a fiber waits for.
 *
 * **Details**
 *
 * `yield`: the fiber is about to run. `never`: `Effect.never`. `promise` and `callback`: something outside of Effect; `place` is the function
 * that started it. `nothing`: there is no callback any more, so it is `Effect.never` or one that the program has lost. `unknown`: a callback
 * that is kept somewhere.
 */
export interface Wait {
  readonly kind:
    | "callback"
    | "deferred"
    | "fiber"
    | "fibers"
    | "latch"
    | "never"
    | "nothing"
    | "pool"
    | "promise"
    | "pubsub"
    | "queue"
    | "semaphore"
    | "timer"
    | "unknown"
    | "yield"
  /** The object that it waits for. */
  readonly node?: number | undefined
  readonly place?: ScriptPlace | undefined
}

const kinds: Readonly<Partial<Record<EffectKind, Wait["kind"]>>> = {
  Deferred: "deferred",
  Fiber: "fiber",
  Latch: "latch",
  PartitionedSemaphore: "semaphore",
  Pool: "pool",
  PubSub: "pubsub",
  Queue: "queue",
  Semaphore: "semaphore",
  Subscription: "pubsub"
}

const limits = {
  /** Nodes that are looked at, per start. */
  nodes: 60,
  /** Contexts around a closure. */
  contexts: 3,
  /** A context with more variables belongs to a module. */
  variables: 40,
  /** Continuations, from the innermost on. */
  frames: 4
} as const

/** Makes the function that answers what a suspended fiber waits for. */
export const waits = (
  graph: HeapGraph,
  objects: EffectObjects,
  placeOf: (node: number) => ScriptPlace | undefined
): (fiber: number, fields: FiberFields) => Wait => {
  const closure = nodeType(graph, "closure")
  const callbacks = callbackCounts(graph)
  const isFiberSet = (node: number): boolean =>
    tableOf(graph, node)?.entries.some(({ key }) => key !== undefined && objects.kindOf(key) === "Fiber") ?? false

  /** The wait that an object stands for. */
  const known = (node: number): Wait | undefined => {
    const object = objects.kindOf(node)
    const kind = object === undefined ? undefined : kinds[object]
    if (kind !== undefined) return { kind, node }
    const name = nameOf(graph, node)
    if (name === "Timeout" || name === "Immediate") return { kind: "timer", node }
    if (name === "AbortController") return { kind: "promise" }
    return name === "Set" && isFiberSet(node) ? { kind: "fibers", node } : undefined
  }

  /** The nodes to which a node leads: the function of an effect, the variables of a closure. */
  const onwards = (node: number): ReadonlyArray<number> => {
    if (graph.type[node] === closure) return scope(contextOf(graph, node))
    return [effectFields.args, effectFields.register, effectFields.onExit].flatMap((name) =>
      field(graph, node, name) ?? []
    )
  }

  const scope = (context: number | undefined): ReadonlyArray<number> => {
    const found: Array<number> = []
    let at = context
    for (let depth = 0; at !== undefined && depth < limits.contexts; depth++) {
      const here = variables(graph, at)
      if (here.length > limits.variables || here.some(({ node }) => nameOf(graph, node) === "Module")) break
      found.push(...here.map(({ node }) => node))
      at = reach(graph, at, "internal", "previous")
    }
    return found
  }

  /** The nearest object behind some nodes that one can wait for. A promise is the last choice: others have a controller too. */
  const nearest = (from: ReadonlyArray<number>, self: number, accepts: (wait: Wait) => boolean): Wait | undefined => {
    const seen = new Set<number>([self])
    let open = from
    let promise: Wait | undefined
    for (let left: number = limits.nodes; open.length > 0;) {
      const next: Array<number> = []
      for (const node of open) {
        if (seen.has(node)) continue
        seen.add(node)
        if (--left < 0) return promise
        const wait = known(node)
        if (wait === undefined) next.push(...onwards(node))
        else if (accepts(wait)) {
          if (wait.kind !== "promise") return wait
          promise = wait
        }
      }
      open = next
    }
    return promise
  }

  /** The effect that a generator yielded, or that a continuation waits for. */
  const inner = (frame: number): number | undefined => {
    const generator = field(graph, frame, effectFields.iterator)
    if (generator === undefined) return field(graph, frame, effectFields.args)
    const registers = reach(graph, generator, "internal", "parameters_and_registers")
    if (registers === undefined) return undefined
    for (let edge = graph.firstEdge[registers]!; edge < graph.firstEdge[registers + 1]!; edge++) {
      const node = graph.target[edge]!
      if (field(graph, node, effectFields.wasYielded) === undefined) continue
      const effect = field(graph, node, effectFields.yielded)
      if (effect !== undefined) return effect
    }
    return undefined
  }

  /** `Effect.never` registers a function that only answers `undefined`, which it has as its variable. */
  const isNever = (register: number): boolean => {
    const context = contextOf(graph, register)
    if (context === undefined || contextEdges(graph, context) !== 1 || variables(graph, context).length > 0) {
      return false
    }
    return nameOf(graph, register) === ""
  }

  /** The wait of `Effect.callback`: the function that it was given, or the function that made the promise. */
  const ofCallback = (register: number, self: number): Wait => {
    if (isNever(register)) return { kind: "never" }
    const found = nearest([register], self, ({ kind }) => kind !== "fibers")
    if (found !== undefined && found.kind !== "promise") return found
    const place = placeOf(register)
    if (place !== undefined && !isOfEffect(place)) return { kind: "callback", place }
    const own = scope(contextOf(graph, register)).filter((node) => graph.type[node] === closure)
    const from = own.map(placeOf).find((one) => one !== undefined && !isOfEffect(one))
    return { kind: from === undefined ? "unknown" : "promise", place: from }
  }

  const ofStack = (fiber: number, stack: ReadonlyArray<number>): Wait | undefined => {
    const cleanup = ({ kind }: Wait) => kind === "semaphore" || kind === "pool" || kind === "fibers"
    for (let at = stack.length - 1; at >= Math.max(0, stack.length - limits.frames); at--) {
      const frame = stack[at]!
      const onExit = field(graph, frame, effectFields.onExit)
      const found = onExit === undefined ? undefined : nearest([onExit], fiber, cleanup)
      if (found !== undefined) return found
      const effect = inner(frame)
      const register = field(graph, effect, effectFields.register)
      if (register !== undefined) return ofCallback(register, fiber)
      // Continuations below a generator wait for the generator.
      if (field(graph, frame, effectFields.iterator) !== undefined) return undefined
    }
    return undefined
  }

  return (fiber, { stack, wake }) => {
    if (wake === undefined) return { kind: "unknown" }
    // A fiber that yields has two variables: itself, and whether it was resumed.
    if (contextEdges(graph, wake) <= 2) return { kind: "yield" }
    const beside = variables(graph, wake).map(({ node }) => node)
    const found = nearest(beside, fiber, () => true)
    if (found !== undefined && found.kind !== "promise") return found
    const callback = ofStack(fiber, stack)
    if (callback !== undefined && callback.kind !== "unknown") return callback
    if (found !== undefined) return found
    return { kind: callbacks(wake) > 0 ? "unknown" : "nothing" }
  }
}

const isOfEffect = ({ file }: ScriptPlace): boolean =>
  /[\\/]node_modules[\\/](?:@effect[\\/][^\\/]+|effect)[\\/]/.test(file)

/** The number of variables of a context, those that are `undefined` included. */
const contextEdges = (graph: HeapGraph, context: number): number => {
  const type = edgeType(graph, "context")
  let count = 0
  for (let edge = graph.firstEdge[context]!; edge < graph.firstEdge[context + 1]!; edge++) {
    if (graph.edgeType[edge] === type) count++
  }
  return count
}

/** Counts the closures of a context that could be the callback: those that neither the fiber nor its stack keeps. */
const callbackCounts = (graph: HeapGraph): (context: number) => number => {
  const name = graph.strings.find("context") ?? -1
  const internal = edgeType(graph, "internal")
  const closure = nodeType(graph, "closure")
  let counts: Map<number, number> | undefined
  const count = (): Map<number, number> => {
    const found = new Map<number, number>()
    for (let node = 0; node < graph.nodes; node++) {
      if (graph.type[node] !== closure) continue
      for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
        if (graph.edgeName[edge] !== name || graph.edgeType[edge] !== internal) continue
        found.set(graph.target[edge]!, (found.get(graph.target[edge]!) ?? 0) + 1)
      }
    }
    return found
  }
  return (context) => {
    counts ??= count()
    // One closure marks the callback as called. Another one is in the cleanup of a callback that has one.
    const hasCleanup = variables(graph, context).some(({ node }) => isCleanup(graph, node))
    return (counts.get(context) ?? 0) - (hasCleanup ? 2 : 1)
  }
}

const isCleanup = (graph: HeapGraph, node: number): boolean =>
  field(graph, node, effectFields.args) !== undefined || nameOf(graph, node) === "AbortController"
