/** The time, for what looks at it all the time. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

/**
 * Milliseconds that never go back. Effect's own clock answers in a bigint: to read it twice was a tenth of what a lease costs. The
 * platform has the same time as a number.
 */
export const monotonic = (clock: Clock.Clock): () => number => {
  if (clock === Context.get(Context.empty(), Clock.Clock)) return () => performance.now()
  return () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
}
