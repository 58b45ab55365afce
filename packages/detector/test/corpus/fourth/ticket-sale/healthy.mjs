// The sale of tickets has begun, and it gets busier as the word gets around, for the whole run.
// Healthy: there are more requests, and no request takes longer. Each is over after a fifth of a second.
import { Effect } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const seats = new Map(Array.from({ length: 400 }, (_, n) => [`seat-${n}`, 0]))

const buy = (visitor) =>
  Effect.acquireUseRelease(
    Effect.sync(() => ({ visitor, wishes: Array.from({ length: 40 }, (_, n) => `seat-${(visitor * n) % 400}`) })),
    ({ wishes }) =>
      Effect.gen(function*() {
        yield* Effect.sleep(jitter(200))
        for (const seat of wishes) seats.set(seat, visitor)
        return wishes[0]
      }),
    (visit) => Effect.sync(() => visit.wishes.length = 0)
  )

const main = Effect.gen(function*() {
  for (let visitor = 1;; visitor++) {
    yield* Effect.forkChild(buy(visitor))
    yield* Effect.sleep(1000 / (30 + 110 * elapsed()))
  }
})

Effect.runFork(main)
