/*
 * Twenty price lists are read again and again; each reading decides when the next one is due, and starts it.
 *
 * The mistake: what is started by a reading is traced as a part of it, so that the span of every reading has the one
 * before as its parent, back to the first.
 */
import { Effect, Random } from "effect"
import "../../support/life.ts"

interface Price {
  readonly article: string
  readonly cents: number
}

const prices = new Map<string, ReadonlyArray<Price>>()

const download = Effect.fn("download")(function*(supplier: string) {
  yield* Effect.sleep("5 millis")
  const cents = yield* Random.nextIntBetween(100, 1000)
  return Array.from({ length: 20 }, (_, n): Price => ({ article: `${supplier}/${n}`, cents: cents + n }))
})

const refresh = Effect.fn("refresh")(function*(supplier: string) {
  const list = yield* download(supplier)
  prices.set(supplier, list)
  return list
})

const keepFresh = Effect.fn("keepFresh")(function*(supplier: string): Effect.fn.Return<void> {
  const list = yield* refresh(supplier)
  yield* Effect.annotateCurrentSpan({ supplier, articles: list.map(({ article }) => article).join(" ") })
  const pause = yield* Random.nextIntBetween(150, 450)
  yield* keepFresh(supplier).pipe(Effect.delay(pause), Effect.forkDetach)
})

const quote = Effect.fn("quote")(function*(supplier: string, article: number) {
  yield* Effect.sleep("2 millis")
  return prices.get(supplier)?.[article]?.cents ?? 0
})

const shop = Effect.gen(function*() {
  for (let n = 0; n < 20; n++) yield* Effect.forkDetach(keepFresh(`supplier ${n}`))
  while (true) {
    const supplier = yield* Random.nextIntBetween(0, 20)
    yield* Effect.forkDetach(quote(`supplier ${supplier}`, supplier))
    yield* Effect.sleep("12 millis")
  }
})

Effect.runFork(shop)
