/**
 * Each tenant has services of its own: a table, and a fiber that keeps it up to date. They are made when the tenant is
 * first seen and go when it has been quiet for a while. More tenants come until 40 % of the run are over; then some go
 * and some come.
 *
 * Healthy: never more than those who came within the idle time.
 */
import { Context, Effect, Layer, LayerMap, Schedule } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

class Catalogue extends Context.Service<Catalogue, {
  readonly find: (article: number) => Effect.Effect<string>
}>()("tenants/Catalogue") {
  static readonly layer = (tenant: string) =>
    Layer.effect(
      Catalogue,
      Effect.gen(function*() {
        const articles = Array.from({ length: 200 }, (_, n) => `article ${n} of ${tenant}`)
        yield* Effect.sync(() => {
          articles[Math.floor(Math.random() * 200)] = `offer of ${tenant}`
        }).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped)
        return { find: (article: number) => Effect.succeed(articles[article % 200] ?? "nothing") }
      })
    )
}

class Tenants extends LayerMap.Service<Tenants>()("tenants/Tenants", {
  lookup: (tenant: string) => Catalogue.layer(tenant),
  idleTimeToLive: part(0.06)
}) {}

const find = Effect.fn("Tenants.find")(function*(tenant: string, article: number) {
  const catalogue = yield* Effect.provide(Catalogue, Tenants.get(tenant))
  yield* Effect.sleep(jitter(6))
  return yield* catalogue.find(article)
})

const main = Effect.gen(function*() {
  for (let article = 0;; article++) {
    const active = 4 + Math.floor(100 * Math.min(elapsed() / 0.4, 1))
    const first = elapsed() < 0.4 ? 0 : Math.floor((elapsed() - 0.4) * 200)
    yield* Effect.forkChild(find(`tenant ${first + Math.floor(Math.random() * active)}`, article))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(main.pipe(Effect.provide(Tenants.layer)))
