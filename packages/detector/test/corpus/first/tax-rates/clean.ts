/**
 * Tax tables are opened on demand, shared by everyone who needs the same one, and closed when nobody has used them
 * for a while.
 * The twin of leak.ts: the key is the country.
 */
import { Effect, RcMap } from "effect"
import { jitter } from "../../support/life.ts"

interface TaxTable {
  readonly key: string
  readonly rates: ReadonlyArray<readonly [category: string, rate: number]>
}

const openTable = Effect.fn("openTable")(function*(key: string) {
  return yield* Effect.acquireRelease(
    Effect.sync((): TaxTable => ({
      key,
      rates: Array.from({ length: 15 }, (_, n) => [`${key}/category-${n}`, Math.random() / 4])
    })),
    () => Effect.sleep("1 millis")
  )
})

const priceOrder = Effect.fn("priceOrder")(
  function*(tables: RcMap.RcMap<string, TaxTable>, order: number) {
    const table = yield* RcMap.get(tables, `country-${order % 30}`)
    yield* Effect.sleep(jitter(5))
    return table.rates.reduce((sum, [, rate]) => sum + rate, 0)
  },
  Effect.scoped
)

const program = Effect.gen(function*() {
  const tables = yield* RcMap.make({ lookup: openTable, idleTimeToLive: "1 hour" })
  for (let order = 1;; order++) {
    yield* Effect.forkChild(priceOrder(tables, order))
    yield* Effect.sleep(jitter(14))
  }
})

Effect.runFork(Effect.scoped(program))
