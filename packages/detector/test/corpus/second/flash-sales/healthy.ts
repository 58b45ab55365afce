/*
 * A ticket shop: ten requests a second, and at each of the five sales of a run 250 at once, which queue for a semaphore
 * and are served within a tenth of the run.
 *
 * Why it is healthy: after each sale everybody has been served.
 */
import { Effect, Schedule, Semaphore } from "effect"
import { part } from "../../support/life.ts"

const tills = Semaphore.makeUnsafe(10)
let sold = 0

const pay = Effect.fn("Shop.pay")(
  function*(ticket: { readonly number: number; readonly seats: ReadonlyArray<string> }) {
    yield* Effect.sleep(part(0.1) / 25)
    return ticket.seats.length
  }
)

const buy = Effect.fn("Shop.buy")(function*() {
  const number = ++sold
  const ticket = { number, seats: Array.from({ length: 60 }, (_, seat) => `row ${number}, seat ${seat}`) }
  return yield* tills.withPermits(1)(pay(ticket))
})

const sale = Effect.forEach(Array.from({ length: 250 }), () => Effect.forkDetach(buy()), { discard: true })

Effect.runFork(Effect.schedule(sale, Schedule.spaced(part(0.2))))
Effect.runFork(buy().pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("100 millis")))))
