/**
 * Totals of each customer, for today and yesterday. A day is a fifth of the run.
 *
 * Why it is healthy: at midnight today becomes yesterday, and the yesterday before is let go.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Total {
  cents: number
  readonly bookings: Array<{ readonly text: string; readonly cents: number }>
}

class Totals extends Context.Service<Totals, {
  readonly book: (customer: number, cents: number) => Effect.Effect<void>
  readonly compare: (customer: number) => Effect.Effect<number>
}>()("bank/Totals") {
  static readonly layer = Layer.effect(
    Totals,
    Effect.gen(function*() {
      let today = new Map<number, Total>()
      let yesterday = today

      yield* Effect.sync(() => {
        yesterday = today
        today = new Map()
      }).pipe(Effect.schedule(Schedule.spaced(part(0.2))), Effect.forkScoped)

      const book = Effect.fn("Totals.book")(function*(customer: number, cents: number) {
        const total = today.get(customer) ?? { cents: 0, bookings: [] }
        total.cents += cents
        total.bookings.push({ text: `booking of ${cents} for ${customer}`, cents })
        today.set(customer, total)
      })

      const compare = Effect.fn("Totals.compare")(function*(customer: number) {
        return (today.get(customer)?.cents ?? 0) - (yesterday.get(customer)?.cents ?? 0)
      })

      return { book, compare }
    })
  )
}

const bank = Effect.gen(function*() {
  const totals = yield* Totals
  for (let n = 1;; n++) {
    const customer = Math.floor(Math.random() * 3000)
    yield* Effect.forkChild(Effect.andThen(totals.book(customer, n), totals.compare(customer)))
    yield* Effect.sleep(jitter(8))
  }
})

Effect.runFork(Effect.provide(bank, Totals.layer))
