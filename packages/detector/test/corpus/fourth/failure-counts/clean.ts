// Payments, and a metric that counts how they fail.
//
// The twin of leak.ts: failures are counted by their code.
import { Effect, Metric, Schema } from "effect"
import { jitter } from "../../support/life.ts"

class Declined extends Schema.TaggedError<Declined>()("Declined", {
  code: Schema.Literals(["limit", "expired", "blocked"]),
  message: Schema.String
}) {}

const failures = Metric.frequency("payment_failures")
const duration = Metric.timer("payment_duration")

const charge = Effect.fn("Payments.charge")(function*(id: number) {
  yield* Effect.sleep(jitter(15))
  if (id % 12 === 0) {
    return yield* new Declined({
      code: id % 5 === 0 ? "limit" : "expired",
      message: `payment ${id} of card **** ${1000 + (id * 7919) % 9000} was declined at ${
        performance.now().toFixed(3)
      } ms`
    })
  }
  return id * 3
})

const pay = Effect.fn("Payments.pay")(function*(id: number) {
  return yield* charge(id).pipe(
    Effect.tapError((error) => Metric.update(failures, error.code)),
    Effect.trackDuration(duration)
  )
}, (effect) => Effect.ignore(effect))

const till = Effect.gen(function*() {
  for (let id = 1;; id++) {
    yield* Effect.forkDetach(pay(id))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(till)
