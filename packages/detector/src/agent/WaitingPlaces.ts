/**
 * Finds where suspended fibers wait: the `file:line:column` of their `yield*`, even in programs without `Effect.fn` and spans.
 *
 * A suspended fiber's stack has its generators and continuations. V8's inspector knows where a generator is suspended and where a
 * function was defined. The place nearest to the top of the stack in the program's own files is the result. When all of them are in
 * libraries, the closures are searched for functions and effects that the program passed to the library. A fiber takes about 1 ms, so
 * this is done for suspected fibers only, and the places of functions are cached.
 */
import { heldBy } from "@fiberscope/core/FiberCensus"
import type { FiberCensus, Guard, RuntimeFiber } from "@fiberscope/core/FiberCensus"
import { isProgramFile } from "@fiberscope/core/FiberSite"
import { openSession } from "./InspectorSession.ts"
import { originalOf } from "./loaderSourceMaps.ts"
import type { Place, Waiting } from "./Protocol.ts"

const maxClosureDepth = 6

/** The most objects inspected in the closures of one function. Each takes about 20 microseconds. */
const looksEach = 40
/** The most objects inspected in the closures of all functions on a fiber's stack. */
const looksInAll = 240

/** Finds the waiting places and the timers of at most `most` fibers of a site. */
export const waitingPlaces = (
  census: FiberCensus,
  site: number,
  most: number,
  isToolFile: (url: string) => boolean,
  guard: Guard
): Pick<Waiting, "places" | "looked" | "timers"> => {
  const fibers = census.fibersAt(site, most)
  const timers: Array<number> = []
  const counts = new Map<string, { place: Place; count: number }>()
  const locator = makeLocator(isToolFile, guard)
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
    // Closures take longer, and they are the same for all fibers of a site.
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
  /** The place at which a generator is suspended or a function was defined, if it is in the program's own files. */
  readonly locate: (value: object) => Place | undefined
  /** The first such place in the closures of a function, inspecting at most `looks` objects; and the number of objects inspected. */
  readonly locateWithin: (value: object, looks: number) => { readonly place: Place | undefined; readonly looks: number }
  /** The length of a one-shot timer in the variables of a function, in milliseconds, if there is one. */
  readonly timerWithin: (value: object) => number | undefined
  readonly close: () => void
}

const placeOf = (fiber: RuntimeFiber, { locate }: Locator): Place | undefined => {
  for (const candidate of heldBy(fiber)) {
    const place = locate(candidate)
    if (place !== undefined) return place
  }
  return undefined
}

const placeWithin = (fiber: RuntimeFiber, { locateWithin }: Locator): Place | undefined => {
  let left = looksInAll
  for (const candidate of heldBy(fiber)) {
    if (typeof candidate !== "function" || left <= 0) continue
    const { looks, place } = locateWithin(candidate, Math.min(left, looksEach))
    if (place !== undefined) return place
    left -= looks
  }
  return undefined
}

/** The length of the timer that will wake a fiber. The finalizer at the top of its stack clears that timer, so it refers to it. */
const timerOf = (fiber: RuntimeFiber, { timerWithin }: Locator): number | undefined => {
  for (const candidate of heldBy(fiber, 1)) {
    const ms = typeof candidate === "function" ? timerWithin(candidate) : undefined
    if (ms !== undefined) return ms
  }
  return undefined
}

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

const makeLocator = (isToolFile: (url: string) => boolean, guard: Guard): Locator => {
  const session = openSession()
  const urls = new Map<string, string>()
  session.on(
    "Debugger.scriptParsed",
    guard.entry("inspect", ({ params }) => {
      const { scriptId, url } = params as ScriptParsed
      urls.set(scriptId, url)
    })
  )
  /** Calls the inspector; `undefined` for an object that it cannot inspect. */
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
  /** Own properties. Accessors are listed and not called. */
  const propertiesOf = (objectId: string | undefined): Properties =>
    post("Runtime.getProperties", { objectId, ownProperties: true }) as Properties | undefined ?? { result: [] }
  const placeIn = (internalProperties: ReadonlyArray<Property>, name: string): Place | undefined => {
    const found = internalProperties.find(({ name }) => name === "[[GeneratorLocation]]")
      ?? internalProperties.find(({ name }) => name === "[[FunctionLocation]]")
    const at = found?.value?.value as ScriptLocation | undefined
    const url = at === undefined ? undefined : urls.get(at.scriptId)
    if (at === undefined || url === undefined || !isProgram(url, isToolFile)) return undefined
    return originalOf({ name, file: url, line: at.lineNumber + 1, column: (at.columnNumber ?? 0) + 1 })
  }
  const ask = (value: object): Place | undefined => {
    const { name } = value as { name?: unknown }
    const { internalProperties = [] } = propertiesOf(remote(value))
    return placeIn(internalProperties, typeof value === "function" && typeof name === "string" ? name : "")
  }
  /** The variables of a function, and the objects in them, breadth first, at most `most` objects. */
  const inside = function*(value: object, most: number): IterableIterator<Properties> {
    let looks = 0
    let level: Array<string | undefined> = [remote(value)]
    for (let depth = 0; depth < maxClosureDepth && level.length > 0; depth++) {
      const next: Array<string | undefined> = []
      for (const objectId of level) {
        if (looks++ >= most) return
        const own = propertiesOf(objectId)
        const scopes = own.internalProperties?.find(({ name }) => name === "[[Scopes]]")?.value?.objectId
        // A function contributes its variables, an effect its own properties.
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
      // An interval is not counted: `Effect.never` has one to keep the process alive, and it wakes no fiber.
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
      // The same continuations of Effect are on every stack, so their places are cached.
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

const isProgram = (url: string, isToolFile: (url: string) => boolean): boolean => isProgramFile(url) && !isToolFile(url)
