/*
 * The page of a watchlist follows the price in a SubscriptionRef while somebody looks at it.
 *
 * What is wrong: the fiber that follows is detached, and closing the page does not stop it.
 */
import { Effect, Random, Schedule, Stream, SubscriptionRef } from "effect"
import "../../support/life.ts"

interface Price {
  readonly cents: number
  readonly depth: ReadonlyArray<number>
}

const follow = (price: SubscriptionRef.SubscriptionRef<Price>, alarm: number) =>
  SubscriptionRef.changes(price).pipe(
    Stream.filter(({ cents }) => cents > alarm),
    Stream.runForEach(({ depth }) => Effect.logTrace(`alarm, depth ${depth.length}`)),
    Effect.withSpan("Watchlist.follow")
  )

const watchlist = (price: SubscriptionRef.SubscriptionRef<Price>) =>
  Effect.gen(function*() {
    const alarm = yield* Random.nextIntBetween(0, 1000)
    yield* Effect.forkDetach(follow(price, alarm))
    yield* Effect.sleep("700 millis")
  }).pipe(Effect.scoped, Effect.withSpan("Watchlist.page"))

const main = Effect.gen(function*() {
  const price = yield* SubscriptionRef.make<Price>({ cents: 100, depth: [] })

  const trade = Effect.gen(function*() {
    const cents = yield* Random.nextIntBetween(0, 1000)
    yield* SubscriptionRef.set(price, { cents, depth: Array.from({ length: 50 }, (_, n) => cents - n) })
  })
  yield* Effect.forkChild(Effect.repeat(trade, Schedule.spaced("300 millis")))

  yield* watchlist(price).pipe(
    Effect.forkChild,
    Effect.repeat(Schedule.jittered(Schedule.spaced("120 millis")))
  )
})

Effect.runFork(main)
