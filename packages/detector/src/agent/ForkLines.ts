/**
 * The exact line of `fork*` and `run*` calls. With `--sites all` it is found for every call, at the cost of a stack for each, which
 * is about the cost of the fork itself. Otherwise it is found for a few calls, while fibers without a name are suspected.
 *
 * Effect's modules export those functions as constants, so they are wrapped in the source as it is loaded. A wrapper remembers the
 * line for the effect that it was given. When a fiber starts with that effect, the line becomes the fiber's fork site. An effect that
 * is forked in two places has the line of the later call.
 */
import type { AnyFunction, Guard, StackFrame } from "@fiberscope/core/FiberCensus"
import { isLibraryFile } from "@fiberscope/core/FiberSite"
import { callSite } from "./CallSite.ts"
import { originalOf } from "./loaderSourceMaps.ts"

/** The cost of the fork lines so far. */
interface ForkLinesCost {
  readonly stacks: number
  readonly ms: number
}

export interface ForkLines {
  /** The source of a module of Effect with its `fork*` and `run*` functions wrapped; `undefined` for modules that have none. */
  readonly rewrite: (url: string, source: string) => string | undefined
  /** The frame of the call that forked an effect. */
  readonly frameOf: (effect: unknown) => StackFrame | undefined
  readonly cost: () => ForkLinesCost
  /** Takes the line of one in `every` calls from now on; 0 takes none. */
  readonly sampleEvery: (every: number) => void
  /** The number of calls since the last time this was read. */
  readonly calls: () => number
  readonly stop: () => void
}

// Taken at load: the program may replace it.
const stringify = JSON.stringify

const wrapKey = Symbol.for("@fiberscope/agent/forkLine")

const effectModule = /[\\/]effect[\\/]dist[\\/](Effect|FiberSet|FiberMap|FiberHandle)\.js(?:$|[?#])/
const constant = /^export const ((?:fork|run)[A-Z]\w*) = (internal\.\w+);$/gm
const definition = /^export const run = (function \(\) \{[\s\S]*?^\});$/gm
const wrapped = /^(?:fork(?:Child|In|Scoped|Detach)|run(?:Fork|Callback|Promise|PromiseExit)(?:With)?)$/

export const makeForkLines = (now: () => number, guard: Guard): ForkLines => {
  const frames = new Map<string, StackFrame>()
  const frameByEffect = new WeakMap<object, StackFrame>()
  let stacks = 0
  let ms = 0
  let open = true
  let every = 0
  let calls = 0

  const remember = (effect: object): void => {
    const start = now()
    const call = callSite(isLibraryFile)
    if (call !== undefined) {
      const { column, file, line: row } = originalOf({ name: "", ...call })
      const line = `at ${file ?? call.file}:${row ?? call.line}:${column ?? call.column}`
      let frame = frames.get(line)
      if (frame === undefined && frames.size < maxLines) frames.set(line, frame = frameAt(line))
      if (frame !== undefined) frameByEffect.set(effect, frame)
    }
    stacks++
    ms += now() - start
  }

  /** Wraps `fork` so that it remembers the line of its call for the effect among its arguments. */
  const wrap = (fork: AnyFunction): AnyFunction =>
    likeOriginal(
      fork,
      guard.around("fork lines", fork, (args) => {
        if (!open || ++calls % every !== 0) return undefined
        const effect = args.find(isEffect)
        if (effect !== undefined) return void remember(effect)
        // `effect.pipe(Effect.forkIn(scope))` and `runForkWith(context)` get the effect in the next call.
        return (result) => typeof result === "function" ? withNext(result as AnyFunction) : result
      })
    )

  const withNext = (fork: AnyFunction): AnyFunction =>
    likeOriginal(
      fork,
      guard.around("fork lines", fork, (args) => {
        const effect = open ? args.find(isEffect) : undefined
        if (effect !== undefined) remember(effect)
        return undefined
      })
    )

  Object.defineProperty(globalThis, wrapKey, {
    configurable: true,
    enumerable: false,
    // guarded: when the wrapper cannot be made, Effect keeps its own function
    value: (fork: AnyFunction) => guard.run("fork lines", () => wrap(fork), fork)
  })
  return {
    rewrite: (url, source) => {
      const module = effectModule.exec(url)?.[1]
      if (module === undefined) return undefined
      const use = (code: string) => `(globalThis[Symbol.for(${stringify(wrapKey.description)})] ?? ((f) => f))(${code})`
      return module === "Effect"
        ? source.replace(
          constant,
          (line, name: string, code: string) => wrapped.test(name) ? `export const ${name} = ${use(code)};` : line
        )
        : source.replace(definition, (_, code: string) => `export const run = ${use(code)};`)
    },
    frameOf: (effect) =>
      stacks > 0 && typeof effect === "object" && effect !== null ? frameByEffect.get(effect) : undefined,
    cost: () => ({ stacks, ms }),
    sampleEvery: (calls) => {
      every = calls
    },
    calls: () => {
      const since = calls
      calls = 0
      return since
    },
    stop: () => {
      open = false
      Reflect.deleteProperty(globalThis, wrapKey)
    }
  }
}

const maxLines = 4096

/** A frame in the form of `Effect.fn`, whose identity is the closure of its definition. The name is read from the source later. */
const frameAt = (line: string): StackFrame => {
  const stack = () => line
  return { name: "", stack, parent: { name: " (definition)", stack, parent: undefined } }
}

/** Gives a wrapper the name and the arity of the original function: Effect's `dual` looks at the arity. */
const likeOriginal = (original: AnyFunction, wrapper: AnyFunction): AnyFunction =>
  Object.defineProperties(wrapper, {
    length: { value: original.length, configurable: true },
    name: { value: original.name, configurable: true }
  })

const isEffect = (value: unknown): value is object =>
  typeof value === "object" && value !== null && "~effect/Effect" in value
