/**
 * Where suspended fibers stand: the `file:line:column` of the `yield*` they wait at, in programs without `Effect.fn` and spans too.
 *
 * A suspended fiber's stack holds its generators and continuations, and V8's inspector knows where a generator is suspended and
 * where a function was written. What lies nearest to the top of the stack and in the program's own files is the place. Where all of them
 * are the library's own, it is what their closures hold: the functions and effects that the program gave to the library. It takes about
 * a millisecond for each fiber, so it is done for suspects only, and the places of functions are kept.
 */
import type { FiberCensus, Guard, RuntimeFiber } from "@fiberscope/core/FiberCensus"
import { openSession } from "./InspectorSession.ts"
import { originalOf } from "./Originals.ts"
import type { Place, Waiting } from "./Protocol.ts"

const maxObjects = 60
const maxDepth = 4
const maxClosureDepth = 6

/** What is looked at in the closures of one function, and of all on a fiber's stack: a look takes some twenty microseconds. */
const looksEach = 40
const looksInAll = 240

/** Looks at `most` fibers of a site. */
export const waitingPlaces = (
  census: FiberCensus,
  site: number,
  most: number,
  isOwn: (url: string) => boolean,
  guard: Guard
): Pick<Waiting, "places" | "looked" | "timers"> => {
  const fibers = census.fibersAt(site, most)
  const timers: Array<number> = []
  const counts = new Map<string, { place: Place; count: number }>()
  const locator = makeLocator(isOwn, guard)
  const count = (place: Place): void => {
    const key = `${place.file}:${place.line}:${place.column}`
    const known = counts.get(key)
    if (known === undefined) counts.set(key, { place, count: 1 })
    else known.count++
  }
  let looked = fibers.length
  try {
    for (const fiber of fibers) {
      const place = placeOf(fiber, locator)
      if (place !== undefined) count(place)
      const ms = timerOf(fiber, locator)
      if (ms !== undefined) timers.push(ms)
    }
    // Closures take longer, and say the same of all fibers of a site.
    const [first] = fibers
    const within = counts.size === 0 && first !== undefined ? placeWithin(first, locator) : undefined
    if (within !== undefined) {
      count(within)
      looked = 1
    }
  } finally {
    locator.close()
  }
  return { places: [...counts.values()].sort((a, b) => b.count - a.count), looked, timers }
}

interface Locator {
  /** Where a generator stands or a function was written, if that is in the program. */
  readonly locate: (value: object) => Place | undefined
  /** The same for what the closures of a function hold, with so many looks at the most, of which it says how many it took. */
  readonly locateWithin: (value: object, looks: number) => { readonly place: Place | undefined; readonly looks: number }
  /** The milliseconds of the timer that a function or its variables hold, if they hold one that fires once. */
  readonly timerWithin: (value: object) => number | undefined
  readonly close: () => void
}

const placeOf = (fiber: RuntimeFiber, { locate }: Locator): Place | undefined => {
  for (const candidate of candidates(fiber)) {
    const place = locate(candidate)
    if (place !== undefined) return place
  }
  return undefined
}

const placeWithin = (fiber: RuntimeFiber, { locateWithin }: Locator): Place | undefined => {
  let left = looksInAll
  for (const candidate of candidates(fiber)) {
    if (typeof candidate !== "function" || left <= 0) continue
    const { looks, place } = locateWithin(candidate, Math.min(left, looksEach))
    if (place !== undefined) return place
    left -= looks
  }
  return undefined
}

/** The length of the timer that will wake a fiber: the finalizer of its wait, which is the top of its stack, clears that timer. */
const timerOf = (fiber: RuntimeFiber, { timerWithin }: Locator): number | undefined => {
  for (const candidate of candidates(fiber, 1)) {
    const ms = typeof candidate === "function" ? timerWithin(candidate) : undefined
    if (ms !== undefined) return ms
  }
  return undefined
}

/** The functions and generators in the top frames of a fiber's stack, nearest to its top first, a few levels into effects yet to be run. */
const candidates = function*(fiber: RuntimeFiber, frames = fiber._stack.length): IterableIterator<object> {
  const seen = new Set<object>()
  let budget = maxObjects
  for (let top = fiber._stack.length - 1; top >= Math.max(0, fiber._stack.length - frames); top--) {
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

interface ScriptParsed {
  readonly scriptId: string
  readonly url: string
}

interface RemoteObject {
  readonly type?: string
  readonly subtype?: string
  readonly className?: string
  readonly description?: string
  readonly objectId?: string
}

interface Property {
  readonly name: string
  readonly value?: RemoteObject & { readonly value?: unknown }
}

interface ScriptLocation {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber?: number
}

interface Properties {
  readonly result: ReadonlyArray<Property>
  readonly internalProperties?: ReadonlyArray<Property>
}

const makeLocator = (isOwn: (url: string) => boolean, guard: Guard): Locator => {
  const session = openSession()
  const urls = new Map<string, string>()
  session.on(
    "Debugger.scriptParsed",
    guard.entry("inspect", ({ params }) => {
      const { scriptId, url } = params as ScriptParsed
      urls.set(scriptId, url)
    })
  )
  /** An object that cannot be looked at has no place. */
  const post = (method: string, params?: object): unknown => {
    try {
      return session.post(method, params)
    } catch {
      return undefined
    }
  }
  post("Debugger.enable") // announces every script with its URL
  const scope = globalThis as { [slot]?: object | undefined }
  const remote = (value: object): string | undefined => {
    scope[slot] = value
    try {
      const { result } = post("Runtime.evaluate", {
        expression: `globalThis[Symbol.for(${JSON.stringify(slot.description)})]`,
        objectGroup: group
      }) as { result: RemoteObject }
      return result.objectId
    } finally {
      Reflect.deleteProperty(scope, slot)
    }
  }
  /** Own properties; accessors are told, and not called. */
  const propertiesOf = (objectId: string | undefined): Properties =>
    post("Runtime.getProperties", { objectId, ownProperties: true }) as Properties | undefined ?? { result: [] }
  const placeIn = (internalProperties: ReadonlyArray<Property>, name: string): Place | undefined => {
    const found = internalProperties.find(({ name }) => name === "[[GeneratorLocation]]")
      ?? internalProperties.find(({ name }) => name === "[[FunctionLocation]]")
    const at = found?.value?.value as ScriptLocation | undefined
    const url = at === undefined ? undefined : urls.get(at.scriptId)
    if (at === undefined || url === undefined || !isProgram(url, isOwn)) return undefined
    return originalOf({ name, file: url, line: at.lineNumber + 1, column: (at.columnNumber ?? 0) + 1 })
  }
  const ask = (value: object): Place | undefined => {
    const { name } = value as { name?: unknown }
    const { internalProperties = [] } = propertiesOf(remote(value))
    return placeIn(internalProperties, typeof value === "function" && typeof name === "string" ? name : "")
  }
  /** What a function's variables hold, and what those hold, breadth first, with so many looks at the most. */
  const inside = function*(value: object, most: number): IterableIterator<Properties> {
    let looks = 0
    let level: Array<string | undefined> = [remote(value)]
    for (let depth = 0; depth < maxClosureDepth && level.length > 0; depth++) {
      const next: Array<string | undefined> = []
      for (const objectId of level) {
        if (looks++ >= most) return
        const own = propertiesOf(objectId)
        const scopes = own.internalProperties?.find(({ name }) => name === "[[Scopes]]")?.value?.objectId
        // Of a function its variables, of an effect what it is made of.
        const result = scopes === undefined ? own.result : variablesOf(scopes)
        yield { ...own, result }
        for (const { value } of result) {
          const isEffect = value?.type === "object" && value.subtype === undefined
          if (isEffect || value?.type === "function") next.push(value?.objectId)
        }
      }
      level = next
    }
  }
  const askWithin = (value: object, most: number): ReturnType<Locator["locateWithin"]> => {
    let looks = 0
    for (const { internalProperties = [] } of inside(value, most)) {
      looks++
      const place = placeIn(internalProperties, "")
      if (place !== undefined) return { place, looks }
    }
    return { place: undefined, looks }
  }
  const timerWithin = (value: object): number | undefined => {
    for (const { result } of inside(value, looksEach)) {
      const timer = result.find(({ value }) => value?.className === "Timeout")?.value
      if (timer === undefined) continue
      const { result: fields } = propertiesOf(timer.objectId)
      const field = (name: string): unknown => fields.find((one) => one.name === name)?.value?.value
      const ms = field("_idleTimeout")
      // An interval, which keeps the process alive in Effect.never, wakes nobody.
      return typeof ms === "number" && ms > 0 && field("_repeat") === null ? ms : undefined
    }
    return undefined
  }
  const variablesOf = (scopes: string): ReadonlyArray<Property> =>
    propertiesOf(scopes).result
      .filter(({ value }) => /^(?:Closure|Block)/.test(value?.description ?? ""))
      .flatMap(({ value }) => propertiesOf(value?.objectId).result)
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
    locateWithin: askWithin,
    timerWithin,
    close: () => {
      post("Runtime.releaseObjectGroup", { objectGroup: group })
      post("Debugger.disable")
      session.close()
    }
  }
}

const isProgram = (url: string, isOwn: (url: string) => boolean): boolean =>
  url !== "" && !url.startsWith("node:") && !url.startsWith("evalmachine") && !/[\\/]node_modules[\\/]/.test(url) &&
  !isOwn(url)
