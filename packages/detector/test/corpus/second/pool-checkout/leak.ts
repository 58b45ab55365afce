/*
 * A shop whose stock repository takes a connection out of a pool of eight for each query.
 *
 * What is wrong: the scope of the lease is closed by hand, and a query that fails goes past it. When the pool is empty
 * every further request waits for a connection.
 */
import { Context, Effect, Exit, Layer, Pool, Schedule, Scope } from "effect"
import "../../support/life.ts"
import { Database } from "./Database.ts"

class Stock extends Context.Service<Stock, {
  readonly count: (article: string) => Effect.Effect<number>
}>()("shop/Stock") {
  static readonly layer = Layer.effect(
    Stock,
    Effect.gen(function*() {
      const { pool } = yield* Database

      const query = Effect.fn("Stock.query")(function*(sql: string) {
        const lease = yield* Scope.make()
        const connection = yield* Scope.provide(Pool.get(pool), lease)
        const rows = yield* connection.run(sql)
        yield* Scope.close(lease, Exit.void)
        return rows
      })

      const count = Effect.fn("Stock.count")(
        function*(article: string) {
          const rows = yield* query(`select count(*) from stock where article = '${article}'`)
          return rows.length
        },
        (counted) => Effect.orElseSucceed(counted, () => 0)
      )

      return { count }
    })
  )
}

let visits = 0

const page = Effect.fn("page")(function*() {
  const stock = yield* Stock
  visits++
  return yield* stock.count(visits % 20 === 0 ? `it's -- broken ${visits}` : `article ${visits}`)
})

const shop = page().pipe(
  Effect.forkDetach,
  Effect.repeat(Schedule.jittered(Schedule.spaced("25 millis"))),
  Effect.provide(Layer.provide(Stock.layer, Database.layer))
)

Effect.runFork(shop)
