/** A pull of a stream that fails when there come too many items, or when they take too long. */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { isDue } from "../isDue.ts"

type Limit = "maxDuration" | "maxItems"

/** Times are in milliseconds. `error` is told the items that were delivered, and the time since this was run. */
export const boundedPull = <A, E, R, E2>(
  pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void, R>,
  maxDuration: number,
  maxItems: number,
  error: (limit: Limit, items: number, elapsed: number) => E2
): Effect.Effect<Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E | E2, void, R>> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const start = now()
    const last = start + maxDuration
    let items = 0
    let isFull = false
    const exceeded = (limit: Limit) => Effect.suspend(() => Effect.fail(error(limit, items, now() - start)))
    const timeIsOver: Effect.Effect<never, E2> = Effect.suspend(() =>
      isDue(last, now()) ? exceeded("maxDuration") : Effect.andThen(Effect.sleep(last - now()), timeIsOver)
    )
    // A stream that always has something to give must not go on for ever.
    const inTime = Effect.suspend(() =>
      isDue(last, now()) ? exceeded("maxDuration") : Effect.raceFirst(pull, timeIsOver)
    )
    return Effect.suspend(() =>
      isFull ? exceeded("maxItems") : Effect.flatMap(Number.isFinite(last) ? inTime : pull, (chunk) => {
        const room = maxItems - items
        if (chunk.length <= room) {
          items += chunk.length
          return Effect.succeed(chunk)
        }
        if (room <= 0) return exceeded("maxItems")
        isFull = true
        items += room
        // There is room for one at least.
        return Effect.succeed(chunk.slice(0, room) as unknown as Arr.NonEmptyReadonlyArray<A>)
      })
    )
  })
