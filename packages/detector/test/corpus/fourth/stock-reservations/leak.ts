/**
 * A shop reserves what is in a basket before it is paid for.
 *
 * Bug: a reservation is taken back when the payment was accepted. One payment in ten is not, it takes too long.
 */
import { Effect, HashMap, SynchronizedRef } from "effect"
import { jitter } from "../../support/life.ts"
import { type Line, pay } from "./Payments.ts"

interface Reservation {
  readonly lines: ReadonlyArray<Line>
  readonly at: number
}

const reservations = SynchronizedRef.makeUnsafe(HashMap.empty<string, Reservation>())

const reserve = Effect.fn("Stock.reserve")(function*(order: string) {
  const lines = Array.from({ length: 60 }, (_, n) => ({ article: `${order}/${n}`, pieces: n + 1 }))
  yield* SynchronizedRef.updateEffect(
    reservations,
    (all) => Effect.delay(Effect.sync(() => HashMap.set(all, order, { lines, at: performance.now() })), "1 millis")
  )
  return lines
})

const release = Effect.fn("Stock.release")(function*(order: string) {
  yield* SynchronizedRef.update(reservations, HashMap.remove(order))
})

const checkout = Effect.fn("Shop.checkout")(function*(order: string) {
  const lines = yield* reserve(order)
  return yield* pay(order, lines).pipe(
    Effect.timeout("150 millis"),
    Effect.tap(() => release(order)),
    Effect.ignore
  )
})

const shop = Effect.gen(function*() {
  for (let n = 1;; n++) {
    yield* Effect.forkDetach(checkout(`order-${n}`))
    yield* Effect.sleep(jitter(11))
  }
})

Effect.runFork(shop)
