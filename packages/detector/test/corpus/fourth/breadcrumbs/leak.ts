/**
 * A shop that can say what a request did before it failed: what it did is written into a trail of its own.
 *
 * The leak: no request is given one. A reference makes its default value once, so all of them write into the same.
 */
import { Context, Effect, Layer } from "effect"
import { jitter } from "../../support/life.ts"
import { Catalog } from "./Catalog.ts"
import { Pricing } from "./Pricing.ts"

interface Crumb {
  readonly at: number
  readonly text: string
  readonly data: Record<string, unknown>
}

const Trail = Context.Reference<Array<Crumb>>("shop/Trail", { defaultValue: () => [] })

const crumb = (text: string, data: Record<string, unknown>) =>
  Effect.gen(function*() {
    const trail = yield* Trail
    trail.push({ at: performance.now(), text, data })
  })

const handle = Effect.fn("Shop.handle")(function*(id: number) {
  yield* crumb(`request ${id}`, { id, agent: `browser/${id % 17}`, path: `/articles/${id}` })
  const pricing = yield* Pricing
  const quote = yield* pricing.quote(id)
  yield* crumb(`quote for ${quote.article.name}`, { ...quote })
  yield* Effect.sleep(jitter(5))
  if (id % 50 === 0) return yield* Effect.fail((yield* Trail).slice(-5).map(({ text }) => text))
  yield* crumb(`answered ${id}`, { cents: quote.cents })
})

const requests = Effect.gen(function*() {
  for (let id = 1;; id++) {
    yield* Effect.forkChild(Effect.ignore(handle(id)))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(Effect.provide(requests, Layer.provide(Pricing.layer, Catalog.layer)))
