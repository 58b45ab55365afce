/**
 * Exchange rates, memoized: each table is computed once.
 *
 * A table is known by the object that asks for it, and there are two of them.
 */
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

interface Query {
  readonly currency: string
  readonly fixing: "daily" | "hourly"
}

const memo = <K, A>(compute: (key: K) => Effect.Effect<A>): (key: K) => Effect.Effect<A> => {
  const known = new Map<K, Effect.Effect<A>>()
  return (key) =>
    Effect.suspend(() => {
      const before = known.get(key)
      if (before !== undefined) return before
      return Effect.flatMap(Effect.cached(compute(key)), (cached) => {
        known.set(key, cached)
        return cached
      })
    })
}

const table = memo(
  Effect.fn("Rates.compute")(function*({ currency, fixing }: Query) {
    yield* Effect.sleep("3 millis")
    return Array.from({ length: 40 }, (_, n) => `${currency}/${n}: ${Math.random()} (${fixing})`)
  })
)

const home: Query = { currency: "EUR", fixing: "hourly" }
const settlement: Query = { currency: "USD", fixing: "daily" }

const show = Effect.fn("Rates.show")(function*() {
  const rates = yield* table(home)
  yield* Effect.sleep("2 millis")
  return rates.join("\n")
})

const settle = Effect.fn("Rates.settle")(function*() {
  return (yield* table(settlement)).length
})

Effect.runFork(Effect.repeat(settle(), Schedule.spaced("700 millis")))
Effect.runFork(Effect.repeat(Effect.forkDetach(show()), Schedule.jittered(Schedule.spaced("10 millis"))))
