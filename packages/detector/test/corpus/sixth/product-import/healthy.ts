/*
 * A supplier's list of 600 products is read page by page, again and again. What it says replaces what was known; a
 * product that is missing from a list is removed, until it comes back.
 *
 * Healthy: there are 600 products at most, and a product only knows its price and the one before.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { jitter, part } from "../../support/life.ts"

const Row = Schema.fromJsonString(Schema.Struct({
  sku: Schema.String,
  title: Schema.String,
  cents: Schema.Int,
  tags: Schema.Array(Schema.String)
}))

interface Product {
  title: string
  cents: number
  before: number
  tags: ReadonlyArray<string>
  edition: number
}

const download = (edition: number, page: number) =>
  Array.from({ length: 40 }, (_, n) => page * 40 + n)
    .filter(() => Math.random() > 0.05)
    .map((n) =>
      JSON.stringify({
        sku: `sku-${n}`,
        title: `product ${n}, edition ${edition}`,
        cents: 100 + Math.floor(Math.random() * 900),
        tags: ["new", "blue", "heavy"].slice(0, n % 4)
      })
    )
    .join("\n")

const pages = (edition: number) =>
  Stream.paginate(
    0,
    Effect.fn("Supplier.page")(function*(page: number) {
      yield* Effect.sleep(jitter(200))
      const lines = download(edition, page).split("\n").filter((line) => line !== "")
      return [lines, page < 14 ? Option.some(page + 1) : Option.none<number>()] as const
    })
  )

const decode = Schema.decodeEffect(Row)

class Catalogue {
  private readonly products = new Map<string, Product>()

  upsert(row: { sku: string; title: string; cents: number; tags: ReadonlyArray<string> }, edition: number) {
    const { cents, sku, tags, title } = row
    const known = this.products.get(sku)
    if (known) Object.assign(known, { title, before: known.cents, cents, tags, edition })
    else this.products.set(sku, { title, cents, before: cents, tags, edition })
  }

  prune(edition: number) {
    for (const [sku, product] of this.products) if (product.edition !== edition) this.products.delete(sku)
  }
}

const importEdition = Effect.fn("Import.edition")(function*(catalogue: Catalogue, edition: number) {
  yield* pages(edition).pipe(
    Stream.mapEffect((line) => decode(line), { concurrency: 4 }),
    Stream.runForEach((row) => Effect.sync(() => catalogue.upsert(row, edition)))
  )
  catalogue.prune(edition)
})

Effect.runFork(Effect.gen(function*() {
  const catalogue = new Catalogue()
  for (let edition = 1;; edition++) {
    yield* importEdition(catalogue, edition)
    yield* Effect.sleep(jitter(part(0.02)))
  }
}))
