/**
 * Where suspended fibers stand: the `file:line:column` of the `yield*` they wait at, in programs without `Effect.fn` and spans too.
 *
 * A suspended fiber's stack holds its generators and continuations, and V8's inspector knows where a generator is suspended and
 * where a function was written. What lies nearest to the top of the stack and in the program's own files is the place. It takes
 * about a millisecond for each fiber, so it is done for suspects only, and the places of functions are kept.
 */
import type { FiberCensus, RuntimeFiber } from "@fiberscope/core/FiberCensus"
import inspector from "node:inspector"
import { originalOf } from "./Originals.ts"
import type { Place, Waiting } from "./Protocol.ts"

const maxObjects = 60
const maxDepth = 4

/** Looks at `most` fibers of a site. */
export const waitingPlaces = (
  census: FiberCensus,
  site: number,
  most: number,
  isOwn: (url: string) => boolean
): Pick<Waiting, "places" | "looked"> => {
  const fibers = census.fibersAt(site, most)
  const counts = new Map<string, { place: Place; count: number }>()
  const locator = makeLocator(isOwn)
  try {
    for (const fiber of fibers) {
      const place = placeOf(fiber, locator)
      if (place === undefined) continue
      const key = `${place.file}:${place.line}:${place.column}`
      const known = counts.get(key)
      if (known === undefined) counts.set(key, { place, count: 1 })
      else known.count++
    }
  } finally {
    locator.close()
  }
  return { places: [...counts.values()].sort((a, b) => b.count - a.count), looked: fibers.length }
}

interface Locator {
  readonly locate: (value: object) => Place | undefined
  readonly close: () => void
}

const placeOf = (fiber: RuntimeFiber, { locate }: Locator): Place | undefined => {
  for (const candidate of candidates(fiber)) {
    const place = locate(candidate)
    if (place !== undefined) return place
  }
  return undefined
}

/** The functions and generators that a fiber's stack holds, nearest to its top first, a few levels into effects yet to be run. */
const candidates = function*(fiber: RuntimeFiber): IterableIterator<object> {
  const seen = new Set<object>()
  let budget = maxObjects
  for (let top = fiber._stack.length - 1; top >= 0; top--) {
    let level: Array<unknown> = [fiber._stack[top]]
    for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
      const next: Array<unknown> = []
      for (const object of level) {
        if (typeof object !== "object" || object === null) continue
        for (const key of Reflect.ownKeys(object)) {
          // Data properties only: a getter is code of the program.
          const value = Object.getOwnPropertyDescriptor(object, key)?.value as unknown
          if (value === null || (typeof value !== "object" && typeof value !== "function")) continue
          if (value === fiber || seen.has(value)) continue
          seen.add(value)
          if (--budget < 0) return
          if (typeof value === "function" || isGenerator(value)) yield value
          else if (!Array.isArray(value) && !("_stack" in value)) next.push(value)
        }
      }
      level = next
    }
  }
}

const isGenerator = (value: object): boolean => Object.prototype.toString.call(value) === "[object Generator]"

const slot = Symbol.for("@fiberscope/agent/probe")
const group = "fiberscope"
const functionPlaces = new WeakMap<object, Place | null>()

interface Property {
  readonly name: string
  readonly value?: {
    readonly value?: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
  }
}

const makeLocator = (isOwn: (url: string) => boolean): Locator => {
  const session = new inspector.Session()
  session.connect()
  const urls = new Map<string, string>()
  session.on("Debugger.scriptParsed", ({ params }) => void urls.set(params.scriptId, params.url))
  const post = (method: string, params?: object): unknown => {
    let result: unknown
    session.post(method, params, (_error: Error | null, answer?: unknown) => void (result = answer))
    return result
  }
  post("Debugger.enable") // announces every script with its URL
  const scope = globalThis as { [slot]?: object | undefined }
  const ask = (value: object): Place | undefined => {
    scope[slot] = value
    try {
      const { result } = post("Runtime.evaluate", {
        expression: `globalThis[Symbol.for(${JSON.stringify(slot.description)})]`,
        objectGroup: group
      }) as { result: { objectId?: string } }
      const { internalProperties = [] } = post("Runtime.getProperties", {
        objectId: result.objectId,
        ownProperties: true
      }) as { internalProperties?: ReadonlyArray<Property> }
      const found = internalProperties.find(({ name }) => name === "[[GeneratorLocation]]")
        ?? internalProperties.find(({ name }) => name === "[[FunctionLocation]]")
      const at = found?.value?.value
      const url = at === undefined ? undefined : urls.get(at.scriptId)
      if (at === undefined || url === undefined || !isProgram(url, isOwn)) return undefined
      const name = (value as { name?: unknown }).name
      return originalOf({
        name: typeof value === "function" && typeof name === "string" ? name : "",
        file: url,
        line: at.lineNumber + 1,
        column: (at.columnNumber ?? 0) + 1
      })
    } finally {
      Reflect.deleteProperty(scope, slot)
    }
  }
  return {
    locate: (value) => {
      if (typeof value !== "function") return ask(value)
      // The same continuations of Effect stand on every stack.
      const known = functionPlaces.get(value)
      if (known !== undefined) return known ?? undefined
      const place = ask(value)
      functionPlaces.set(value, place ?? null)
      return place
    },
    close: () => {
      post("Runtime.releaseObjectGroup", { objectGroup: group })
      post("Debugger.disable")
      session.disconnect()
    }
  }
}

const isProgram = (url: string, isOwn: (url: string) => boolean): boolean =>
  url !== "" && !url.startsWith("node:") && !url.startsWith("evalmachine") && !/[\\/]node_modules[\\/]/.test(url) &&
  !isOwn(url)
