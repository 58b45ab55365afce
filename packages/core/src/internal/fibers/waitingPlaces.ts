/**
 * The lines of the program's source at which fibers are suspended, also without an `Effect.fn` or span around them.
 *
 * The stack of a suspended fiber holds its generators and continuations, and V8 knows where a generator is suspended and where a
 * function was written. The place is the one nearest to the top of the stack that is outside of libraries. It takes about a
 * millisecond for each fiber: for reports at the end of a process and in tests.
 */
import type { RuntimeFiber } from "../census/FiberRuntime.ts"
import { heldBy } from "../census/heldBy.ts"
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

/** The place of the program's own generator or continuation that is nearest to the top of the fiber's stack. */
export const waitingPlace = (fiber: RuntimeFiber): WaitingPlace | undefined => {
  for (const candidate of heldBy(fiber)) {
    const place = placeOf(candidate)
    if (place !== undefined) return { waits: typeof candidate !== "function", ...place }
  }
  return undefined
}
