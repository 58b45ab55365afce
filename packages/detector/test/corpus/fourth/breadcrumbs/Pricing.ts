import { Context, Effect, Layer } from "effect"
import { type Article, Catalog } from "./Catalog.ts"

export interface Quote {
  readonly article: Article
  readonly cents: number
}

export class Pricing extends Context.Service<Pricing, {
  readonly quote: (id: number) => Effect.Effect<Quote>
}>()("shop/Pricing") {
  static readonly layer = Layer.effect(
    Pricing,
    Effect.gen(function*() {
      const catalog = yield* Catalog
      const quote = Effect.fn("Pricing.quote")(function*(id: number) {
        const article = yield* catalog.find(id)
        return { article, cents: 99 + article.id * 7 }
      })
      return { quote }
    })
  )
}
