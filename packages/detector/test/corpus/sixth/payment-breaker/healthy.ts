// Payments go to a provider that is down three times in a run. A circuit breaker looks at the last forty calls; while
// it is open, payments are refused at once, but for one trial in a while. The last failures are kept, for support.
import { Data, Effect } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

class ProviderDown extends Data.TaggedError("ProviderDown")<{ readonly payment: number }> {}
class Refused extends Data.TaggedError("Refused")<{}> {}

const down = () => [0.1, 0.4, 0.7].some((from) => elapsed() > from && elapsed() < from + 0.06)

const makeBreaker = () => {
  const outcomes: Array<boolean> = []
  const failures: Array<{ readonly error: ProviderDown; readonly at: Date }> = []
  let openUntil = 0
  return <A>(call: Effect.Effect<A, ProviderDown>): Effect.Effect<A, ProviderDown | Refused> =>
    Effect.suspend((): Effect.Effect<A, ProviderDown | Refused> => {
      if (performance.now() < openUntil) return Effect.fail(new Refused())
      return call.pipe(
        Effect.tap(() => Effect.sync(() => outcomes.push(true))),
        Effect.tapError((error) =>
          Effect.sync(() => {
            outcomes.push(false)
            failures.push({ error, at: new Date() })
            if (failures.length > 30) failures.shift()
          })
        ),
        Effect.ensuring(Effect.sync(() => {
          while (outcomes.length > 40) outcomes.shift()
          const failed = outcomes.filter((ok) => !ok).length
          if (outcomes.length >= 20 && failed > outcomes.length / 2) {
            openUntil = performance.now() + 200
            outcomes.length = 0
          }
        }))
      )
    })
}

const protect = makeBreaker()

const charge = Effect.fn("charge")(function*(payment: number) {
  yield* Effect.sleep(jitter(15))
  if (down() || Math.random() < 0.06) return yield* new ProviderDown({ payment })
  return { payment, receipt: `receipt ${payment} `.repeat(10) }
})

const pay = Effect.fn("pay")(function*(payment: number) {
  return yield* protect(charge(payment)).pipe(
    Effect.retry({ times: 2, while: (error) => error._tag === "ProviderDown" }),
    Effect.catchTag("Refused", () => Effect.succeed({ payment, receipt: "later" })),
    Effect.catchTag("ProviderDown", () => Effect.succeed({ payment, receipt: "failed" }))
  )
})

const main = Effect.gen(function*() {
  for (let payment = 0;; payment++) {
    yield* Effect.forkChild(pay(payment))
    yield* Effect.sleep(jitter(12))
  }
})

Effect.runFork(main)
