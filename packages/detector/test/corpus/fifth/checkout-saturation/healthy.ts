/*
 * A checkout that can serve eight customers at a time, and is busy for nine tenths of it. There is nearly always a queue,
 * which gets long and short again; every now and then a coach arrives.
 *
 * Why it is healthy: more can be served than come.
 */
import { Effect, Ref, Semaphore } from "effect"
import { part } from "../../support/life.ts"

interface Basket {
  readonly customer: number
  readonly articles: ReadonlyArray<{ readonly name: string; readonly cents: number }>
}

const fill = (customer: number): Basket => ({
  customer,
  articles: Array.from({ length: 30 }, (_, n) => ({ name: `article ${n} for ${customer}`, cents: n * 7 }))
})

const checkout = Effect.gen(function*() {
  const tills = yield* Semaphore.make(8)
  const takings = yield* Ref.make(0)

  const pay = Effect.fn("pay")(function*(basket: Basket) {
    yield* Effect.sleep(60 + Math.random() * 60)
    const cents = basket.articles.reduce((sum, article) => sum + article.cents, 0)
    yield* Ref.update(takings, (sum) => sum + cents)
    return cents
  })

  const customer = Effect.fn("customer")(function*(number: number) {
    const basket = fill(number)
    return yield* tills.withPermit(pay(basket))
  })

  let customers = 0
  const passengers = Array.from({ length: Math.round(part(0.19) * 0.006) })
  const coach = Effect.suspend(() =>
    Effect.forEach(passengers, () => Effect.forkDetach(customer(++customers)), { discard: true })
  )

  yield* Effect.forkChild(Effect.forever(Effect.delay(coach, part(0.19))))
  while (true) {
    yield* Effect.forkDetach(customer(++customers))
    yield* Effect.sleep(-13.5 * Math.log(1 - Math.random()))
  }
})

Effect.runFork(checkout)
