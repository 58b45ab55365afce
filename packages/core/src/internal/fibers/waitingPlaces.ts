/**
 * The lines of the program's source at which fibers are suspended, also without an `Effect.fn` or span around them.
 *
 * The stack of a suspended fiber holds its generators and continuations, and V8 knows where a generator is suspended and where a
 * function was written. The place is the one nearest to the top of the stack that is outside of libraries. It takes about a
 * millisecond for each fiber: for reports at the end of a process and in tests.
 */
import type { RuntimeFiber } from "../census/FiberRuntime.ts"
import { placeOf } from "./places.ts"

/**
 * A line of the program's source: the `yield*` at which a fiber `waits`, or otherwise the function with which it continues.
 *
 * @category models
 */
export interface WaitingPlace {
  readonly waits: boolean
  readonly file: string
  readonly line: number
  readonly column: number
}

const maxObjects = 60
const maxDepth = 4

/** The place of the program's own generator or continuation that is nearest to the top of the fiber's stack. */
export const waitingPlace = (fiber: RuntimeFiber): WaitingPlace | undefined => {
  for (const candidate of candidates(fiber)) {
    const place = placeOf(candidate)
    if (place !== undefined) return { waits: typeof candidate !== "function", ...place }
  }
  return undefined
}

/** The functions and generators on a fiber's stack, nearest to its top first, a few levels into effects that have not run yet. */
const candidates = function*(fiber: RuntimeFiber): IterableIterator<object> {
  const seen = new Set<object>([fiber])
  let budget = maxObjects
  // A fiber that has ended has no stack.
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
