/**
 * Finds every copy of Effect that a program loads, without a change in the program.
 *
 * Two ways, both needed. A **load hook** appends one line to Effect's own file, which hands over the class of its fibers: it works
 * for ESM, `require`, TypeScript, workers, and for each of several copies, and it is bypassed by bundles and by loaders that read
 * files themselves. A **trap** on the global slot in which the run loop keeps the running fiber meets the first fiber of any copy,
 * minified or not; left in place it would cost every fiber switch, so it is taken away as soon as anything was found.
 */
import { currentFiberSlot, isFiberPrototype, prototypeOf } from "@fiberscope/core/FiberCensus"
import { Buffer } from "node:buffer"
import nodeModule from "node:module"

/** What is told about copies of Effect. Nothing here may throw. */
export interface Finder {
  /** A copy was loaded; its fibers have not run yet. */
  readonly found: (prototype: object, where: string) => void
  /** A fiber of a copy that no load hook saw is running. */
  readonly met: (prototype: object, fiber: object) => void
  readonly unsupported: (what: string) => void
}

// Taken at load: the program may replace it.
const stringify = JSON.stringify

const adoptKey = Symbol.for("@fiberscope/agent/adopt")

const effect4 = /[\\/]effect[\\/](?:dist|src)[\\/]internal[\\/]effect\.[cm]?[jt]s(?:$|[?#])/
const effect3 = /[\\/]effect[\\/](?:dist[\\/](?:esm|cjs)|src)[\\/]internal[\\/]fiberRuntime\.[cm]?[jt]s(?:$|[?#])/

/** Starts looking, and returns the function that stops it. */
export const findEffect = (
  finder: Finder,
  /** Changes the source of a module of Effect as it is loaded. */
  rewrite: (url: string, source: string) => string | undefined = () => undefined
): () => void => {
  const disarm = armTrap((fiber) => {
    const prototype = prototypeOf(fiber)
    if (prototype !== undefined) finder.met(prototype, fiber)
    else {finder.unsupported(
        "fibers of an unknown shape: effect is older than 4.0 or newer than this version of fiberscope"
      )}
  })
  const unhook = installHook(
    (prototype, where) => {
      disarm()
      if (isFiberPrototype(prototype)) finder.found(prototype, where)
      else finder.unsupported(`an effect of an unknown shape at ${where}`)
    },
    (where) => finder.unsupported(`effect 3 at ${where}: fiberscope needs effect 4 or newer`),
    rewrite
  )
  return () => {
    disarm()
    unhook()
  }
}

interface LoadResult {
  readonly format?: string | null | undefined
  readonly source?: string | ArrayBufferView | ArrayBuffer | undefined
}

type Load = (url: string, context: unknown, next: (url: string, context: unknown) => LoadResult) => LoadResult

const installHook = (
  found: (prototype: object, where: string) => void,
  old: (where: string) => void,
  rewrite: (url: string, source: string) => string | undefined
): () => void => {
  // Node 22.15 has it; before that the trap alone must do.
  const registerHooks =
    (nodeModule as { registerHooks?: (hooks: { load: Load }) => { deregister: () => void } }).registerHooks
  if (registerHooks === undefined) return () => {}
  const scope = globalThis as { [adoptKey]?: (type: unknown, where: string) => void }
  Object.defineProperty(scope, adoptKey, {
    configurable: true,
    enumerable: false,
    value: (type: unknown, where: string): void => {
      try {
        const prototype = typeof type === "function" ? (type.prototype as unknown) : undefined
        if (typeof prototype === "object" && prototype !== null) found(prototype, where)
      } catch {
        // The program's own module is being evaluated: whatever went wrong here, it is not its fault.
      }
    }
  })
  const hooks = registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context)
      try {
        if (effect3.test(url)) old(url)
        if (loaded.source === undefined || loaded.source === null) return loaded
        if (effect4.test(url)) return handOver(url, loaded)
        if (!url.includes("effect")) return loaded
        const source = rewrite(url, textOf(loaded))
        if (source !== undefined) return { ...loaded, source }
      } catch {
        // An untouched module is always right.
      }
      return loaded
    }
  })
  return () => {
    hooks.deregister()
    Reflect.deleteProperty(scope, adoptKey)
  }
}

const textOf = ({ source }: LoadResult): string =>
  typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString("utf8")

const handOver = (url: string, loaded: LoadResult): LoadResult => {
  const source = textOf(loaded)
  const type = loaded.format?.startsWith("commonjs") === true
    ? "exports.FiberImpl"
    : "typeof FiberImpl === 'undefined' ? undefined : FiberImpl"
  const line = `\n;globalThis[Symbol.for(${stringify(adoptKey.description)})]?.(${type}, ${stringify(url)});\n`
  return { ...loaded, source: source + line }
}

/** Calls `meet` with the first fiber that runs, and is gone after that. */
const armTrap = (meet: (fiber: object) => void): () => void => {
  const scope = globalThis as Record<string, unknown>
  if (Object.hasOwn(scope, currentFiberSlot)) return () => {}
  const set = (fiber: unknown): void => {
    if (typeof fiber !== "object" || fiber === null) return
    restore(fiber)
    try {
      meet(fiber)
    } catch {
      // The run loop of the program called us.
    }
  }
  const restore = (value: unknown): void => {
    Object.defineProperty(scope, currentFiberSlot, { configurable: true, enumerable: true, writable: true, value })
  }
  Object.defineProperty(scope, currentFiberSlot, { configurable: true, enumerable: false, get: () => undefined, set })
  return () => {
    if (Object.getOwnPropertyDescriptor(scope, currentFiberSlot)?.set === set) {
      Reflect.deleteProperty(scope, currentFiberSlot)
    }
  }
}
