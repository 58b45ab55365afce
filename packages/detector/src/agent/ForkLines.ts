/**
 * The exact line of `fork*` and `run*` calls: of every one, for those who ask for it, at the cost of a stack for each, which is about
 * that of the fork itself; else of a few, while fibers without any name are under suspicion.
 *
 * Effect's modules export those functions as constants, so they are wrapped in the source, as it is loaded. A wrapper remembers the
 * effect it was given together with the line; when a fiber starts with that effect, the line is the fiber's fork site. The same
 * effect forked in two places has the line of the later call.
 */
import type { StackFrame } from "@fiberscope/core/FiberCensus"
import { originalOf } from "./Originals.ts"
import { isOwn } from "./Own.ts"

/** What the lines have cost so far. */
export interface ForkLinesCost {
  readonly stacks: number
  readonly ms: number
}

export interface ForkLines {
  /** The source of a module of Effect with its `fork*` and `run*` functions wrapped; `undefined` for modules that have none. */
  readonly rewrite: (url: string, source: string) => string | undefined
  /** The frame of the call that forked an effect. */
  readonly frameOf: (effect: unknown) => StackFrame | undefined
  readonly cost: () => ForkLinesCost
  /** Looks at one in `every` calls until it is told otherwise; 0: at none. */
  readonly sample: (every: number) => void
  /** Calls since this was asked last. */
  readonly calls: () => number
  readonly stop: () => void
}

const wrapKey = Symbol.for("@fiberscope/agent/forkLine")

const effectModule = /[\\/]effect[\\/]dist[\\/](Effect|FiberSet|FiberMap|FiberHandle)\.js(?:$|[?#])/
const constant = /^export const ((?:fork|run)[A-Z]\w*) = (internal\.\w+);$/gm
const definition = /^export const run = (function \(\) \{[\s\S]*?^\});$/gm
const wrapped = /^(?:fork(?:Child|In|Scoped|Detach)|run(?:Fork|Callback|Promise|PromiseExit)(?:With)?)$/

const maxStack = 16

export const makeForkLines = (now: () => number): ForkLines => {
  const frames = new Map<string, StackFrame>()
  const frameByEffect = new WeakMap<object, StackFrame>()
  let stacks = 0
  let ms = 0
  let open = true
  let every = 0
  let calls = 0

  const remember = (effect: object): void => {
    const start = now()
    const call = callOf()
    if (call !== undefined) {
      const line = `at ${call.file}:${call.line}:${call.column}`
      let frame = frames.get(line)
      if (frame === undefined && frames.size < maxLines) frames.set(line, frame = frameAt(line))
      if (frame !== undefined) frameByEffect.set(effect, frame)
    }
    stacks++
    ms += now() - start
  }

  const wrap = (fork: (...args: Array<unknown>) => unknown): (...args: Array<unknown>) => unknown =>
    Object.defineProperties(
      function(this: unknown, ...args: Array<unknown>): unknown {
        if (!open || ++calls % every !== 0) return fork.apply(this, args)
        const effect = args.find(isEffect)
        if (effect !== undefined) quietly(() => remember(effect))
        const result = fork.apply(this, args)
        // `effect.pipe(Effect.forkIn(scope))`, `runForkWith(context)`: the effect comes with the next call.
        return effect === undefined && typeof result === "function" ? withNext(result as typeof fork) : result
      },
      {
        length: { value: fork.length, configurable: true },
        name: { value: fork.name, configurable: true }
      }
    )

  const withNext = (fork: (...args: Array<unknown>) => unknown) =>
    Object.defineProperty(
      function(this: unknown, ...args: Array<unknown>): unknown {
        const effect = open ? args.find(isEffect) : undefined
        if (effect !== undefined) quietly(() => remember(effect))
        return fork.apply(this, args)
      },
      "length",
      { value: fork.length, configurable: true }
    )

  Object.defineProperty(globalThis, wrapKey, { configurable: true, enumerable: false, value: wrap })
  return {
    rewrite: (url, source) => {
      const module = effectModule.exec(url)?.[1]
      if (module === undefined) return undefined
      const use = (code: string) =>
        `(globalThis[Symbol.for(${JSON.stringify(wrapKey.description)})] ?? ((f) => f))(${code})`
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
    sample: (one) => {
      every = one
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

/** A frame in the form that an `Effect.fn` leaves: the closure of its definition is its identity. The name is read from the source. */
const frameAt = (line: string): StackFrame => {
  const stack = () => line
  return { name: "", stack, parent: { name: " (definition)", stack, parent: undefined } }
}

const isEffect = (value: unknown): value is object =>
  typeof value === "object" && value !== null && "~effect/Effect" in value

const quietly = (body: () => void): void => {
  try {
    body()
  } catch {
    // The program's call goes on.
  }
}

interface Call {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** The innermost call outside of libraries and of the tool, read from V8's call sites so that no stack has to be kept. */
const callOf = (): Call | undefined => {
  const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")
  const prepare = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")
  let call: Call | undefined
  try {
    Error.stackTraceLimit = maxStack
    Error.prepareStackTrace = (_, sites) => {
      for (const site of sites) {
        const file = site.getFileName()
        if (
          file === null || file === undefined || file.startsWith("node:") || /[\\/]node_modules[\\/]/.test(file) ||
          isOwn(file)
        ) continue
        const at = { name: "", file, line: site.getLineNumber() ?? 1, column: site.getColumnNumber() ?? 1 }
        const written = originalOf(at)
        call = { file: written.file ?? file, line: written.line ?? at.line, column: written.column ?? at.column }
        break
      }
      return ""
    }
    void new Error().stack
  } finally {
    if (limit !== undefined) Object.defineProperty(Error, "stackTraceLimit", limit)
    if (prepare === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
    else Object.defineProperty(Error, "prepareStackTrace", prepare)
  }
  return call
}
