/**
 * Tickets for a concert. There is a steady trickle, and then the sale opens, at 25 % of the run: a crowd of some seven
 * hundred comes within a tenth of it, waits for one of twelve counters, and is through at about 55 %.
 *
 * Healthy: everybody who waits is served or gives up.
 */
import { Context, Effect, Layer, Schema, Semaphore } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

class Ticket extends Schema.Class<Ticket>("Ticket")({
  seat: Schema.Number,
  visitor: Schema.String,
  conditions: Schema.Array(Schema.String)
}) {}

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { visitor: Schema.String }) {}

class BoxOffice extends Context.Service<BoxOffice, {
  readonly buy: (visitor: string) => Effect.Effect<Ticket, SoldOut>
}>()("concert/BoxOffice") {
  static readonly layer = Layer.effect(
    BoxOffice,
    Effect.gen(function*() {
      const counters = yield* Semaphore.make(12)
      let sold = 0

      const buy = Effect.fn("BoxOffice.buy")(function*(visitor: string) {
        const conditions = Array.from({ length: 30 }, (_, n) => `condition ${n} for ${visitor}`)
        return yield* Effect.sleep(jitter(part(0.0035))).pipe(
          Effect.andThen(Effect.suspend(() =>
            ++sold % 50 === 0
              ? Effect.fail(new SoldOut({ visitor }))
              : Effect.succeed(new Ticket({ seat: sold % 9000, visitor, conditions }))
          )),
          counters.withPermit
        )
      })
      return { buy }
    })
  )
}

const visit = Effect.fn("visit")(function*(visitor: string) {
  const office = yield* BoxOffice
  return yield* office.buy(visitor)
}, Effect.catchTag("SoldOut", () => Effect.succeed(undefined)))

const main = Effect.gen(function*() {
  for (let visitors = 0;; visitors++) {
    const crowd = elapsed() > 0.25 && elapsed() < 0.35
    yield* Effect.forkDetach(visit(`visitor ${visitors}`))
    yield* Effect.sleep(jitter(crowd ? part(0.1) / 700 : part(0.001)))
  }
})

Effect.runFork(main.pipe(Effect.provide(BoxOffice.layer)))
