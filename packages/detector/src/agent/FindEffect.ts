/**
 * Finds every copy of Effect that a program loads, without a change in the program.
 *
 * It needs two ways. A **load hook** appends one line to Effect's own file, which passes on the class of its fibers. The hook works
 * for ESM, `require`, TypeScript, workers and several copies; bundles and loaders that read files themselves bypass it. A **trap** on
 * the global slot in which the run loop keeps the running fiber catches the first fiber of any copy, minified or not. The trap would
 * slow down every fiber switch, so it is removed as soon as a copy is found.
 */
import { currentFiberSlot, isFiberPrototype, observable, prototypeOf } from "@fiberscope/core/FiberCensus"
import type { Guard } from "@fiberscope/core/FiberCensus"
import { Buffer } from "node:buffer"
import nodeModule from "node:module"
import { callSite } from "./CallSite.ts"

/** The callbacks for copies of Effect that are found. */
export interface Finder {
  /** A copy was loaded; its fibers have not run yet. */
  readonly found: (prototype: object, where: string) => void
  /** A fiber of a copy that the load hook did not see is running, in a bundle at `where`. Only some versions carry their `version`. */
  readonly foundRunning: (prototype: object, fiber: object, where: string, version: string | undefined) => void
  readonly unsupported: (what: string) => void
}

// Taken at load: the program may replace it.
const stringify = JSON.stringify

const adoptKey = Symbol.for("@fiberscope/agent/adopt")

const effect4 = /[\\/]effect[\\/](?:dist|src)[\\/]internal[\\/]effect\.[cm]?[jt]s(?:$|[?#])/
const effect3 = /[\\/]effect[\\/](?:dist[\\/](?:esm|cjs)|src)[\\/]internal[\\/]fiberRuntime\.[cm]?[jt]s(?:$|[?#])/

/** Starts to look, and returns the function that stops it. */
export const findEffect = (
  finder: Finder,
  /** Changes the source of a module of Effect as it is loaded. */
  rewrite: (url: string, source: string) => string | undefined,
  guard: Guard
): () => void => {
  const disarm = armTrap((fiber) => {
    const where = callSite()?.file ?? "a script without a name"
    const prototype = prototypeOf(fiber)
    if (prototype !== undefined) finder.foundRunning(prototype, fiber, where, versionIn(fiber))
    else {
      const name = `effect ${versionIn(fiber) ?? "of an unknown version"}`
      finder.unsupported(
        `${name} at ${where} cannot be observed: its fibers have an unknown shape. Fiberscope observes effect ${observable}`
      )
    }
  }, guard)
  const unhook = installHook(
    (prototype, where) => {
      disarm()
      if (isFiberPrototype(prototype)) finder.found(prototype, where)
      else {
        finder.unsupported(
          `the effect at ${where} cannot be observed: its fibers have an unknown shape. Fiberscope observes effect ${observable}`
        )
      }
    },
    (where) => finder.unsupported(`effect 3 at ${where} cannot be observed. Fiberscope observes effect ${observable}`),
    rewrite,
    guard
  )
  return () => {
    disarm()
    unhook()
  }
}

/** The version of a fiber's copy. Versions up to 4.0.0-beta.97 have it in the name of a field. */
const versionIn = (fiber: object): string | undefined => {
  const prefix = "~effect/Fiber/"
  for (const key of Object.getOwnPropertyNames(fiber)) {
    if (key.startsWith(prefix)) return key.slice(prefix.length)
  }
  return undefined
}

interface LoadResult {
  readonly format?: string | null | undefined
  readonly source?: string | ArrayBufferView | ArrayBuffer | undefined
}

type Load = (url: string, context: unknown, next: (url: string, context: unknown) => LoadResult) => LoadResult

const installHook = (
  found: (prototype: object, where: string) => void,
  old: (where: string) => void,
  rewrite: (url: string, source: string) => string | undefined,
  guard: Guard
): () => void => {
  // Node has `registerHooks` since 22.15. Without it, only the trap finds copies.
  const registerHooks =
    (nodeModule as { registerHooks?: (hooks: { load: Load }) => { deregister: () => void } }).registerHooks
  if (registerHooks === undefined) return () => {}
  const scope = globalThis as { [adoptKey]?: (type: unknown, where: string) => void }
  Object.defineProperty(scope, adoptKey, {
    configurable: true,
    enumerable: false,
    value: guard.entry("found effect", (type: unknown, where: string): void => {
      const prototype = typeof type === "function" ? (type.prototype as unknown) : undefined
      if (typeof prototype === "object" && prototype !== null) found(prototype, where)
    })
  })
  const found4 = (url: string, loaded: LoadResult): LoadResult => {
    if (effect3.test(url)) old(url)
    return effect4.test(url) ? handOver(url, loaded) : loaded
  }
  const rewritten = (url: string, loaded: LoadResult): LoadResult => {
    const source = url.includes("effect") ? rewrite(url, textOf(loaded)) : undefined
    return source === undefined ? loaded : { ...loaded, source }
  }
  const hooks = registerHooks({
    // guarded: after a failure the module is loaded unchanged, which is always correct
    load: (url, context, next) => {
      const loaded = next(url, context)
      if (loaded.source === undefined || loaded.source === null) return loaded
      const found = guard.run("load hook", () => found4(url, loaded), loaded)
      return found === loaded ? guard.run("fork lines", () => rewritten(url, loaded), loaded) : found
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

/** Sets a trap that calls `meet` with the first fiber that runs and removes itself. */
const armTrap = (meet: (fiber: object) => void, guard: Guard): () => void => {
  const scope = globalThis as Record<string, unknown>
  if (Object.hasOwn(scope, currentFiberSlot)) return () => {}
  const set = (fiber: unknown): void => {
    if (typeof fiber !== "object" || fiber === null) return
    restore(fiber)
    guard.run("first fiber", () => meet(fiber), undefined)
  }
  const restore = (value: unknown): void => {
    Object.defineProperty(scope, currentFiberSlot, { configurable: true, enumerable: true, writable: true, value })
  }
  // guarded: the slot gets its value back before any code of the agent runs
  Object.defineProperty(scope, currentFiberSlot, { configurable: true, enumerable: false, get: () => undefined, set })
  return () => {
    if (Object.getOwnPropertyDescriptor(scope, currentFiberSlot)?.set === set) {
      Reflect.deleteProperty(scope, currentFiberSlot)
    }
  }
}
