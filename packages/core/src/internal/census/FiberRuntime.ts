/**
 * The private side of Effect's fiber runtime, as far as a live process needs it.
 *
 * Everything here was read in the source of effect (`internal/effect.ts`, class `FiberImpl`), from 4.0.0-beta.35 to 4.1.0.
 * `test/internal/FiberRuntime.test.ts` is the canary for the installed version, `pnpm run compat` tries the others. The file imports
 * nothing of Effect, so that it can be loaded into a program that must not get a second copy of it.
 *
 * A fiber has one of two shapes. Since 4.0.0-rc.113 it derives a `cache` from its context, which fibers share. Before that the fiber
 * itself has `currentStackFrame` and `currentSpan`. {@link shapeOf} checks every field by type before anything else is read.
 */
import type { Guard } from "./Guard.ts"

/** One frame of the chain that `Effect.fn` and spans make: `stack` renders the source line lazily. */
export interface StackFrame {
  readonly name: string
  readonly stack: () => string | undefined
  readonly parent: StackFrame | undefined
}

/** The values that a fiber derives from its context; equal contexts share one. */
export interface FiberCache {
  readonly stackFrame: StackFrame | undefined
  readonly span: { readonly _tag: string; readonly name?: string } | undefined
  /** The cache that this one was derived from, to add the line of a fork to it. */
  readonly origin?: FiberCache | undefined
}

/** The fields of a fiber that the census reads. {@link framesOf}, {@link parentOf} and the other readers know which fields a version lacks. */
export interface RuntimeFiber {
  readonly id: number
  readonly interruptible: boolean
  readonly currentOpCount: number
  /** Since 4.0.0-rc.113. */
  readonly cache: FiberCache
  /** Before 4.0.0-rc.113. */
  readonly currentStackFrame?: StackFrame | undefined
  readonly currentSpan?: FiberCache["span"]
  readonly _exit: unknown
  readonly _asyncContext?: unknown
  readonly _interruptedCause: unknown
  readonly _running: boolean
  readonly _parent: RuntimeFiber | undefined
  readonly _stack: ReadonlyArray<unknown>
}

/** The prototype that all fibers of one copy of Effect share. */
export interface FiberPrototype {
  evaluate(this: RuntimeFiber, effect: unknown): void
}

/** Receives the starts and ends of fibers. */
export interface FiberWatcher {
  /** The first fiber of this copy has a shape that can be read; the names of optional fields that it lacks. */
  readonly confirmed: (missing: ReadonlyArray<string>) => void
  /** Its shape cannot be read, for this reason. The copy is no longer watched. */
  readonly refused: (why: string) => void
  /** A fiber is about to run for the first time. */
  readonly starting: () => void
  /** The first run is over: the fiber has ended, or it is suspended for the first time. */
  readonly started: (
    fiber: RuntimeFiber,
    forked: FiberCache,
    parent: number,
    effect: unknown
  ) => void
  /** A fiber that was suspended before has ended; may be called more than once for one fiber. */
  readonly ended: (fiber: RuntimeFiber) => void
}

/** The global slot in which the run loop keeps the running fiber: the one public mark that survives bundling. */
export const currentFiberSlot = "~effect/Fiber/currentFiber"

/** Whether a fiber has ended. */
export const hasEnded = (fiber: RuntimeFiber): boolean => fiber._exit !== undefined

/** Whether a fiber was asked to stop and has not ended yet; `false` where the version does not say. */
export const isInterrupting = (fiber: RuntimeFiber): boolean => fiber._interruptedCause !== undefined

/** Whether a fiber is on the JavaScript stack right now; `false` where the version does not say. */
export const isRunning = (fiber: RuntimeFiber): boolean => fiber._running === true

/** The id of the fiber that interrupts this one when it ends; 0 for roots, and where the version does not say. */
export const parentOf = (fiber: RuntimeFiber): number => fiber._parent?.id ?? 0

/** Whether the fiber enters an async context before it runs. */
const hasContext = ({ _asyncContext: context }: RuntimeFiber): boolean =>
  typeof context === "object" && context !== null

let lastFrames: FiberCache = { stackFrame: undefined, span: undefined }

/** The frames around the place where a fiber is. Fibers at the same place mostly share the answer. */
export const framesOf = (fiber: RuntimeFiber): FiberCache => {
  const { cache } = fiber
  if (cache !== undefined) return cache
  const { currentSpan: span, currentStackFrame: stackFrame } = fiber
  if (lastFrames.stackFrame !== stackFrame || lastFrames.span !== span) lastFrames = { stackFrame, span }
  return lastFrames
}

/** The result of {@link shapeOf}: a shape that can be read, without some optional fields, or the reason why it cannot. */
export type Shape = { readonly missing: ReadonlyArray<string> } | { readonly refused: string }

const isOneOf = (...types: ReadonlyArray<string>) => (value: unknown): boolean => types.includes(typeOf(value))

const typeOf = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

const isFrame = (value: unknown): boolean =>
  value === undefined
  || (typeof value === "object" && value !== null && hasType(value, "name", isOneOf("string"))
    && hasType(value, "stack", isOneOf("function")) && hasType(value, "parent", isOneOf("object", "undefined")))

const isSpan = (value: unknown): boolean =>
  value === undefined
  || (typeof value === "object" && value !== null && typeof (value as { _tag?: unknown })._tag === "string")

const isCache = (value: unknown): boolean =>
  typeof value === "object" && value !== null && hasType(value, "stackFrame", isFrame) && hasType(value, "span", isSpan)

/** Without these fields fibers cannot be counted. */
const required: Readonly<Record<string, (value: unknown) => boolean>> = {
  id: isOneOf("number"),
  currentOpCount: isOneOf("number"),
  _exit: isOneOf("object", "undefined")
}

/** One of these holds the frames of a fiber. */
const frames: ReadonlyArray<Readonly<Record<string, (value: unknown) => boolean>>> = [
  { cache: isCache },
  { currentStackFrame: isFrame, currentSpan: isSpan }
]

/** Without one of these fields, one column of a dump is empty: who interrupts a fiber, whether it runs, and so on. */
const optional: Readonly<Record<string, (value: unknown) => boolean>> = {
  _parent: isOneOf("object", "undefined"),
  _running: isOneOf("boolean"),
  _stack: isOneOf("array"),
  _interruptedCause: isOneOf("object", "undefined"),
  interruptible: isOneOf("boolean")
}

/** Own data fields only: an accessor is code of the program. */
const hasType = (object: object, name: string, is: (value: unknown) => boolean): boolean => {
  const field = Object.getOwnPropertyDescriptor(object, name)
  return field !== undefined && "value" in field && is(field.value)
}

/** Checks, by type, every field of a fiber that anything here reads. */
export const shapeOf = (fiber: unknown): Shape => {
  if (typeof fiber !== "object" || fiber === null) return { refused: "what runs is not an object" }
  const misfit = Object.keys(required).find((name) => !hasType(fiber, name, required[name]!))
  if (misfit !== undefined) return { refused: `fibers have no \`${misfit}\` of the type that was expected` }
  const fits = (fields: (typeof frames)[number]) =>
    Object.keys(fields).every((name) => hasType(fiber, name, fields[name]!))
  if (!frames.some(fits)) return { refused: "fibers have neither a `cache` nor a `currentStackFrame` that can be read" }
  return { missing: Object.keys(optional).filter((name) => !hasType(fiber, name, optional[name]!)) }
}

/**
 * Whether a prototype is one that {@link watch} understands. Effect 3 (`FiberRuntime`) and a future runtime of another shape
 * answer `false`: no verdict is better than one from a runtime that is seen in part.
 */
export const isFiberPrototype = (value: unknown): value is FiberPrototype => {
  if (typeof value !== "object" || value === null) return false
  const prototype = value as Record<string, unknown>
  // `setServices` is the name of `setContext` before 4.0.0-beta.51.
  return ["evaluate", "runLoop", "getCont"].every((name) => typeof prototype[name] === "function")
    && (typeof prototype["setContext"] === "function" || typeof prototype["setServices"] === "function")
}

/** The prototype behind a living fiber, if {@link watch} understands both. */
export const prototypeOf = (fiber: unknown): FiberPrototype | undefined => {
  let prototype: unknown = typeof fiber === "object" && fiber !== null ? Object.getPrototypeOf(fiber) : undefined
  while (prototype !== null && prototype !== undefined) {
    if (Object.hasOwn(prototype, "evaluate")) {
      return isFiberPrototype(prototype) && "missing" in shapeOf(fiber) ? prototype : undefined
    }
    prototype = Object.getPrototypeOf(prototype)
  }
  return undefined
}

/**
 * Reports every fiber of one copy of Effect to `watcher`, and returns the function that stops it.
 *
 * **Details**
 *
 * `evaluate` is called at each start and each resume of a fiber. `currentOpCount` is 0 only until the first run loop counted its
 * first operation, so `currentOpCount === 0 && _exit === undefined` is a first start, whatever scheduler, runtime or layer is in use.
 * A fiber that carries an `_asyncContext` comes back through `evaluate` at once without it, inside of that context; a version that calls
 * it by another name comes back with the id that `first` holds. A scheduler's `shouldYield`, the obvious hook, misses fibers under `PreventSchedulerYield` and under a custom scheduler.
 *
 * The fork's frame is read before the first run, because afterwards the context may be that of a function the fiber called.
 *
 * The first fiber that comes is checked by {@link shapeOf}; before that, nothing is read. The replacement for `evaluate` is an entry
 * that is too hot for {@link Guard} `around`, so it has its own `try` around each part of ours.
 */
export const watch = (prototype: FiberPrototype, watcher: FiberWatcher, guard: Guard): () => void => {
  const original = prototype.evaluate
  const { confirmed, ended, refused, started, starting } = watcher
  let watching = true
  let checked = false
  /** The id of the fiber whose first run is on the JavaScript stack, the innermost of them; 0 for none. */
  let first = 0

  const check = (fiber: RuntimeFiber): boolean => {
    const shape = shapeOf(fiber)
    if ("refused" in shape) {
      stop()
      refused(shape.refused)
      return false
    }
    checked = true
    confirmed(shape.missing)
    return watching
  }

  // guarded: it has a `try` around each part of ours
  const evaluate = function(this: RuntimeFiber, effect: unknown): void {
    let step: "pass" | "first" | "again" = "pass"
    let forked: FiberCache | undefined
    let parent = 0
    try {
      if (watching && (checked || check(this)) && this._exit === undefined && !hasContext(this)) {
        if (this.currentOpCount !== 0) step = "again"
        else if (this.id !== first) {
          forked = framesOf(this)
          parent = parentOf(this)
          starting()
          step = "first"
        }
      }
    } catch (error) {
      guard.fail("fibers", error)
    }
    if (step === "pass") return original.call(this, effect)
    if (step === "again") {
      original.call(this, effect)
      try {
        if (this._exit !== undefined) ended(this)
      } catch (error) {
        guard.fail("fibers", error)
      }
      return
    }
    const outer = first
    first = this.id
    // An observer of the fiber may throw out of `evaluate`: that is the program's business, but the fiber was started.
    try {
      original.call(this, effect)
    } finally {
      first = outer
      try {
        started(this, forked!, parent, effect)
      } catch (error) {
        guard.fail("fibers", error)
      }
    }
  }

  const stop = (): void => {
    watching = false
    // If other code wrapped our function in the meantime, its wrapper must stay, and our function is a plain call from now on.
    if (prototype.evaluate === evaluate) prototype.evaluate = original
  }
  prototype.evaluate = evaluate
  return stop
}
