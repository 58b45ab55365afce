/** The ledger: invoices are booked once and totals kept for each tenant. */
import { Context, Effect, Layer, Schema } from "effect"

export class Invoice extends Schema.Class<Invoice>("Invoice")({
  id: Schema.Int,
  tenant: Schema.String,
  lines: Schema.Array(Schema.Struct({ article: Schema.String, cents: Schema.Int }))
}) {}

export class Ledger extends Context.Service<Ledger, {
  readonly book: (invoice: Invoice) => Effect.Effect<number>
}>()("billing/Ledger") {
  static readonly layer = Layer.sync(Ledger, () => {
    const totals = new Map<string, number>()

    const book = Effect.fn("Ledger.book")(function*(invoice: Invoice) {
      yield* Effect.sleep("2 millis")
      const total = invoice.lines.reduce((sum, line) => sum + line.cents, totals.get(invoice.tenant) ?? 0)
      totals.set(invoice.tenant, total)
      return total
    })

    return { book }
  })
}
