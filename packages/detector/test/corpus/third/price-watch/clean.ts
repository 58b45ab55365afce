/**
 * A robot that looks at the prices of competitors, one round after the other.
 *
 * The rounds are a loop.
 */
import { Effect, Random } from "effect"
import "../../support/life.ts"

interface Price {
  readonly article: number
  readonly cents: number
}

const fetchPrices = Effect.fn("Prices.fetch")(function*(round: number) {
  yield* Effect.sleep("4 millis")
  const prices: Array<Price> = []
  for (let article = 0; article < 90; article++) {
    prices.push({ article, cents: yield* Random.nextIntBetween(100, 99_999) })
  }
  return { round, prices }
})

const watch = Effect.fn("Prices.watch")(function*(round: number) {
  const { prices } = yield* fetchPrices(round)
  const cheapest = prices.reduce((a, b) => (a.cents < b.cents ? a : b))
  if (cheapest.cents < 105) yield* Effect.logDebug(`article ${cheapest.article} is nearly free`)
  yield* Effect.sleep("30 millis")
  yield* Effect.logDebug(`${prices.length} prices in round ${round}`)
})

const visitor = Effect.fn("visitor")(function*() {
  yield* Effect.sleep("10 millis")
  return JSON.stringify({ at: yield* Random.next })
})

let round = 0
Effect.runFork(Effect.forever(Effect.suspend(() => watch(round++))))
Effect.runFork(Effect.forever(visitor()))
