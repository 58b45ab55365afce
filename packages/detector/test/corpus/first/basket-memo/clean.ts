/**
 * Shipping costs of a basket are looked up once and then taken from a cache.
 * The twin of leak.ts: the cache holds 200 baskets.
 */
import { Cache, Effect } from "effect"
import { jitter } from "../../support/life.ts"

interface Shipping {
  readonly basket: string
  readonly offers: ReadonlyArray<{ readonly carrier: string; readonly cents: number }>
}

const lookUpShipping = Effect.fn("lookUpShipping")(function*(basket: string) {
  yield* Effect.sleep(jitter(4))
  const offers = Array.from({ length: 10 }, (_, n) => ({ carrier: `carrier ${n} for ${basket}`, cents: n * 100 }))
  const shipping: Shipping = { basket, offers }
  return shipping
})

const checkout = Effect.fn("checkout")(function*(cache: Cache.Cache<string, Shipping>, basket: string) {
  const first = yield* Cache.get(cache, basket)
  yield* Effect.sleep(jitter(10))
  const second = yield* Cache.get(cache, basket)
  return first.offers.length + second.offers.length
})

const program = Effect.gen(function*() {
  const cache = yield* Cache.make({ capacity: 200, lookup: lookUpShipping })
  for (let n = 1;; n++) {
    yield* Effect.forkChild(checkout(cache, `basket-${n}`))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(program)
