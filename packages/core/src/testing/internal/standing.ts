/** Where a fiber stands, in the source of the program: for those who have no `Effect.fn` or span around them too. */
import { relative } from "node:path"
import type { RuntimeFiber } from "../../FiberCensus.ts"
import type { Place } from "./places.ts"
import { callPlace, original, placeOf } from "./places.ts"

const maxObjects = 60
const maxDepth = 4

/** The place of the generator or continuation that is nearest to the top of the fiber's stack and the program's own. */
export const standingAt = (fiber: unknown): Place | undefined => {
  for (const candidate of candidates(fiber as RuntimeFiber)) {
    const place = placeOf(candidate)
    if (place !== undefined) return place
  }
  return undefined
}

/** The call of the program that is nearest to the top of the JavaScript stack; `direct`: within the operation of a fiber. */
export const callingFrom = (direct = false): Place | undefined => {
  const call = callPlace(direct)
  return call === undefined ? undefined : original(call.file, call.line, call.column)
}

/** The functions and generators that a fiber's stack holds, nearest to its top first, a few levels into effects yet to be run. */
const candidates = function*(fiber: RuntimeFiber): IterableIterator<object> {
  const seen = new Set<object>([fiber])
  let budget = maxObjects
  for (let top = (fiber._stack?.length ?? 0) - 1; top >= 0; top--) {
    let level: ReadonlyArray<unknown> = [fiber._stack[top]]
    for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
      const next: Array<unknown> = []
      for (const object of level) {
        if (typeof object !== "object" || object === null) continue
        for (const key of Reflect.ownKeys(object)) {
          // Data properties only: a getter is code of the program.
          const value = Object.getOwnPropertyDescriptor(object, key)?.value as unknown
          if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value)) continue
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

/** `src/db.ts:12:3`, relative to where the process runs. */
export const renderPlace = ({ column, file, line }: Place): string => {
  const path = relative(process.cwd(), file)
  return `${path.startsWith("..") ? file : path}:${line}:${column}`
}
