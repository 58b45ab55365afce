/**
 * Where fibers stand, in the source of the program, for those who have no `Effect.fn` or span around them.
 *
 * A suspended fiber's stack holds its generators and continuations, and V8's inspector knows where a generator is suspended and where a
 * function was written. What lies nearest to the top of the stack and outside of libraries is the place. It takes about a millisecond
 * for each fiber: for the end of a process, when somebody has to be told.
 */
import type { WaitingPlace } from "../RunMain.ts"
import type { RuntimeFiber } from "./FiberRuntime.ts"

const maxObjects = 60
const maxDepth = 4

/** One answer for each fiber. Nobody is told anything where there is no inspector. */
export const waitingPlaces = (fibers: ReadonlyArray<RuntimeFiber>): ReadonlyArray<WaitingPlace | undefined> => {
  if (fibers.length === 0) return []
  try {
    return withLocator((locate) => fibers.map((fiber) => placeOf(fiber, locate)))
  } catch {
    return fibers.map(() => undefined)
  }
}

type Locate = (value: object) => WaitingPlace | undefined

const placeOf = (fiber: RuntimeFiber, locate: Locate): WaitingPlace | undefined => {
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

const slot = Symbol.for("@fiberscope/core/waitingPlaces")

interface Property {
  readonly name: string
  readonly value?: {
    readonly value?: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
  }
}

const withLocator = <A>(use: (locate: Locate) => A): A => {
  // Loaded only now: most processes end without a question.
  const inspector = process.getBuiltinModule("node:inspector")
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
  const locate: Locate = (value) => {
    scope[slot] = value
    const { result } = post("Runtime.evaluate", {
      expression: `globalThis[Symbol.for(${JSON.stringify(slot.description)})]`
    }) as { result: { objectId?: string } }
    const { internalProperties = [] } = post("Runtime.getProperties", {
      objectId: result.objectId,
      ownProperties: true
    }) as { internalProperties?: ReadonlyArray<Property> }
    const found = internalProperties.find(({ name }) => name === "[[GeneratorLocation]]")
      ?? internalProperties.find(({ name }) => name === "[[FunctionLocation]]")
    const at = found?.value?.value
    const url = at === undefined ? undefined : urls.get(at.scriptId)
    if (at === undefined || url === undefined || !isProgram(url)) return undefined
    return {
      waits: typeof value !== "function",
      file: url.startsWith("file://") ? decodeURIComponent(url.slice("file://".length)) : url,
      line: at.lineNumber + 1,
      column: (at.columnNumber ?? 0) + 1
    }
  }
  try {
    return use(locate)
  } finally {
    Reflect.deleteProperty(scope, slot)
    session.disconnect()
  }
}

/** The program's own: not Node's, not a library's, not ours in a workspace. */
const isProgram = (url: string): boolean =>
  url !== "" && !url.startsWith("node:") && !url.startsWith("evalmachine") && !/[\\/]node_modules[\\/]/.test(url)
  && !url.startsWith(ours)

const ours = new URL("..", import.meta.url).href
