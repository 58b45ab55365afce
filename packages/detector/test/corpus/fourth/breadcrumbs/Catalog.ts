import { Context, Effect, Layer } from "effect"

export interface Article {
  readonly id: number
  readonly name: string
}

export class Catalog extends Context.Service<Catalog, {
  readonly find: (id: number) => Effect.Effect<Article>
}>()("shop/Catalog") {
  static readonly layer = Layer.sync(Catalog, () => {
    const articles = Array.from({ length: 200 }, (_, id) => ({ id, name: `Article no. ${id}` }))
    return {
      find: Effect.fn("Catalog.find")(function*(id) {
        yield* Effect.sleep("2 millis")
        return articles[id % articles.length]!
      })
    }
  })
}
