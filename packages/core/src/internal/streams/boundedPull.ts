/** A pull of a stream that fails after too many items or too much time. */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { isDue } from "../isDue.ts"
import { monotonic } from "../monotonic.ts"

type Limit = "maxDuration" | "maxItems"

/** Times are in milliseconds. `error` receives the number of delivered items, and the time since the start. */
export const boundedPull = <A, E, R, E2>(
  pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void, R>,
  maxDuration: number,
  maxItems: number,
  error: (limit: Limit, items: number, elapsed: number) => E2
): Effect.Effect<Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E | E2, void, R>> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = monotonic(clock)
    const start = now()
    const last = start + maxDuration
    let items = 0
    let isFull = false
    const exceeded = (limit: Limit) => Effect.suspend(() => Effect.fail(error(limit, items, now() - start)))
    const timeIsOver: Effect.Effect<never, E2> = Effect.suspend(() =>
      isDue(last, now()) ? exceeded("maxDuration") : Effect.andThen(Effect.sleep(last - now()), timeIsOver)
    )
    // The time is also checked here: a stream whose items are always available never waits.
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
        // There is room for at least one item.
        return Effect.succeed(chunk.slice(0, room) as unknown as Arr.NonEmptyReadonlyArray<A>)
      })
    )
  })
