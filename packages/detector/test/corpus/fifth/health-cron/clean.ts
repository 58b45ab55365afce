/**
 * A service checks itself every second, as a cron job, and shows the checks on a page.
 *
 * The page shows the last ten, and no others are kept.
 */
import { Context, Effect, Layer, Ref, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

interface Check {
  readonly at: number
  readonly results: ReadonlyArray<{ readonly what: string; readonly millis: number }>
}

const dependencies = ["database", "cache", "mail", "search", "payments", "storage", "queue", "clock"]

class Health extends Context.Service<Health, {
  readonly check: Effect.Effect<void>
  readonly page: Effect.Effect<string>
}>()("service/Health") {
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function*() {
      const history = yield* Ref.make<ReadonlyArray<Check>>([])

      const probe = Effect.fn("Health.probe")(function*(what: string) {
        const millis = Math.random() * 10
        yield* Effect.sleep(millis)
        return { what: `${what} took ${millis}`, millis }
      })

      const check = Effect.fn("Health.check")(function*() {
        const results = yield* Effect.forEach(dependencies, probe, { concurrency: 4 })
        yield* Ref.update(history, (checks) => [...checks.slice(-9), { at: performance.now(), results }])
      })

      const page = Effect.fn("Health.page")(function*() {
        const checks = yield* Ref.get(history)
        return checks.slice(-10).map(({ at, results }) => `${at}: ${results.map(({ what }) => what).join()}`).join("\n")
      })

      return { check: check(), page: page() }
    })
  )
}

const main = Effect.gen(function*() {
  const health = yield* Health
  yield* Effect.forkChild(Effect.repeat(health.check, Schedule.cron("* * * * * *")))
  while (true) {
    yield* Effect.forkChild(health.page)
    yield* Effect.sleep(jitter(14))
  }
})

Effect.runFork(main.pipe(Effect.provide(Health.layer)))
