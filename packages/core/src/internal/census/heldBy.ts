/** The functions and generators that a suspended fiber holds: the way from a fiber to the lines of the program at which it waits. */
import type { RuntimeFiber } from "./FiberRuntime.ts"

const maxObjects = 60
const maxDepth = 4

/** The functions and generators in the top frames of a fiber's stack, from the top down, and a few levels into effects not run yet. */
export const heldBy = function*(
  fiber: RuntimeFiber,
  // A fiber that has ended has no stack.
  frames: number = fiber._stack?.length ?? 0
): IterableIterator<object> {
  const seen = new Set<object>()
  const length = fiber._stack?.length ?? 0
  let budget = maxObjects
  for (let top = length - 1; top >= Math.max(0, length - frames); top--) {
    let level: Array<unknown> = [fiber._stack[top]]
    for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
      const next: Array<unknown> = []
      for (const object of level) {
        if (typeof object !== "object" || object === null) continue
        for (const key of Reflect.ownKeys(object)) {
          // Only data properties are read: a getter would run code of the program.
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
