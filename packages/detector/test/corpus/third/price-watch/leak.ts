/**
 * A robot that looks at the prices of competitors, one round after the other.
 *
 * The flaw: a round ends by calling the next one. What looks like a loop is a call that never returns, so each round
 * stays on the stack of the fiber, with the prices it has read.
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

const watch = Effect.fn("Prices.watch")(function*(round: number): Effect.fn.Return<void> {
  const { prices } = yield* fetchPrices(round)
  const cheapest = prices.reduce((a, b) => (a.cents < b.cents ? a : b))
  if (cheapest.cents < 105) yield* Effect.logDebug(`article ${cheapest.article} is nearly free`)
  yield* Effect.sleep("30 millis")
  yield* watch(round + 1)
  yield* Effect.logDebug(`${prices.length} prices in round ${round}`)
})

const visitor = Effect.fn("visitor")(function*() {
  yield* Effect.sleep("10 millis")
  return JSON.stringify({ at: yield* Random.next })
})

Effect.runFork(watch(0))
Effect.runFork(Effect.forever(visitor()))
