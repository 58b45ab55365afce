/**
 * The private side of Effect's fiber runtime, as far as a live process needs it.
 *
 * This is the only file that names private fields of a running fiber. Everything here was read in the source of effect 4.1.0
 * (`internal/effect.ts`, class `FiberImpl`); `test/internal/FiberRuntime.test.ts` is the canary that fails loudly when a version of
 * Effect no longer behaves like this. It imports nothing, so that it can be loaded into a program that must not get a second copy
 * of Effect.
 *
 * @since 0.1.0
 */

/** One frame of the chain that `Effect.fn` and spans leave behind: `stack` renders the source line lazily. */
export interface StackFrame {
  readonly name: string
  readonly stack: () => string | undefined
  readonly parent: StackFrame | undefined
}

/** What a fiber derives from its context; contexts that are alike share one. */
export interface FiberCache {
  readonly stackFrame: StackFrame | undefined
  readonly span: { readonly _tag: string; readonly name?: string } | undefined
  /** The cache that this one was derived from, to add the line of a fork to it. */
  readonly origin?: FiberCache | undefined
}

/** What the census reads of a fiber. */
export interface RuntimeFiber {
  readonly id: number
  readonly interruptible: boolean
  readonly currentOpCount: number
  readonly cache: FiberCache
  readonly _exit: unknown
  readonly _asyncContext: unknown
  readonly _interruptedCause: unknown
  readonly _running: boolean
  readonly _parent: RuntimeFiber | undefined
  readonly _stack: ReadonlyArray<unknown>
}

/** The prototype that all fibers of one copy of Effect share. */
export interface FiberPrototype {
  evaluate(this: RuntimeFiber, effect: unknown): void
}

/** What is told about fibers as they run. Nothing here may throw. */
export interface FiberWatcher {
  /** A fiber is about to run for the first time. */
  readonly starting: () => void
  /** The first run is over: the fiber has ended, or it is suspended for the first time. */
  readonly started: (
    fiber: RuntimeFiber,
    forked: FiberCache,
    parent: RuntimeFiber | undefined,
    effect: unknown
  ) => void
  /** A fiber that was suspended before has ended; may be called more than once for one fiber. */
  readonly ended: (fiber: RuntimeFiber) => void
}

/** The global slot in which the run loop keeps the running fiber: the one public mark that survives bundling. */
export const currentFiberSlot = "~effect/Fiber/currentFiber"

/** Whether a fiber has ended. */
export const hasEnded = (fiber: RuntimeFiber): boolean => fiber._exit !== undefined

/** Whether a fiber was asked to stop and has not ended yet. */
export const isInterrupting = (fiber: RuntimeFiber): boolean => fiber._interruptedCause !== undefined

/** Whether a fiber is on the JavaScript stack right now. */
export const isRunning = (fiber: RuntimeFiber): boolean => fiber._running

/**
 * Whether a prototype is one that {@link watch} understands. Effect 3 (`FiberRuntime`) and a future runtime of another shape
 * answer `false`: no verdict is better than one from a runtime that is seen in part.
 */
export const isFiberPrototype = (value: unknown): value is FiberPrototype => {
  if (typeof value !== "object" || value === null) return false
  const prototype = value as Record<string, unknown>
  return typeof prototype["evaluate"] === "function" && typeof prototype["runLoop"] === "function"
    && typeof prototype["getCont"] === "function" && typeof prototype["setContext"] === "function"
}

/** The prototype behind a living fiber, if it is one that {@link watch} understands. */
export const prototypeOf = (fiber: unknown): FiberPrototype | undefined => {
  let prototype: unknown = typeof fiber === "object" && fiber !== null ? Object.getPrototypeOf(fiber) : undefined
  while (prototype !== null && prototype !== undefined) {
    if (Object.hasOwn(prototype, "evaluate")) return isFiberPrototype(prototype) ? prototype : undefined
    prototype = Object.getPrototypeOf(prototype)
  }
  return undefined
}

/**
 * Tells `watcher` about every fiber of one copy of Effect, and returns the function that stops it.
 *
 * **Details**
 *
 * `evaluate` is called at each start and each resume of a fiber. `currentOpCount` is 0 only until the first run loop counted its
 * first operation, and a fiber that carries an `_asyncContext` comes back through `evaluate` at once without it: so
 * `currentOpCount === 0 && _exit === undefined && _asyncContext === undefined` is exactly a first start, whatever scheduler, runtime
 * or layer is in use. A scheduler's `shouldYield`, the obvious hook, misses fibers under `PreventSchedulerYield` and under a custom
 * scheduler.
 *
 * The fork's frame is read before the first run, because afterwards the context may be that of a function the fiber called.
 */
export const watch = (prototype: FiberPrototype, watcher: FiberWatcher): () => void => {
  const original = prototype.evaluate
  const { ended, started, starting } = watcher
  let watching = true
  const evaluate = function(this: RuntimeFiber, effect: unknown): void {
    if (!watching || this._exit !== undefined || this._asyncContext !== undefined) return original.call(this, effect)
    if (this.currentOpCount !== 0) {
      original.call(this, effect)
      if (this._exit !== undefined) ended(this)
      return
    }
    const forked = this.cache
    const parent = this._parent
    starting()
    // An observer of the fiber may throw out of `evaluate`: that is the program's business, but the fiber was started.
    try {
      original.call(this, effect)
    } finally {
      started(this, forked, parent, effect)
    }
  }
  prototype.evaluate = evaluate
  return () => {
    watching = false
    // When somebody wrapped ours in the meantime, theirs must stay, and ours is a plain call from now on.
    if (prototype.evaluate === evaluate) prototype.evaluate = original
  }
}
