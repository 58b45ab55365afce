// Orders, each in a span with its number. A fiber waits for the payment of each, to ship it then.
// Leak: the payment of one order in five is cancelled, and the fiber waits for it for ever.
import { Deferred, Effect } from "effect"
import "../../support/life.ts"

const cancelled = []

const ship = (payment) => Effect.andThen(Deferred.await(payment), Effect.sleep(10))

const order = (n) =>
  Effect.gen(function*() {
    const payment = yield* Deferred.make()
    yield* Effect.forkDetach(ship(payment))
    yield* Effect.sleep(20 + Math.random() * 30)
    if (n % 5 === 0) cancelled.push(payment)
    else yield* Deferred.succeed(payment, undefined)
  }).pipe(Effect.withSpan(`order ${n}`))

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* Effect.forkDetach(order(n))
    yield* Effect.sleep(Math.random() * 60)
  }
}))
