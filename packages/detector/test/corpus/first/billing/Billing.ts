/** The service itself: invoices come in, are decoded, booked and announced. */
import { Effect, Schema } from "effect"
import { jitter } from "../../support/life.ts"
import { Invoice, Ledger } from "./Ledger.ts"
import { Mailer } from "./Mailer.ts"

const decodeInvoice = Schema.decodeUnknownEffect(Schema.fromJsonString(Invoice))

const receive = Effect.fn("Billing.receive")(function*(json: string) {
  const ledger = yield* Ledger
  const mailer = yield* Mailer
  const invoice = yield* decodeInvoice(json)
  const total = yield* ledger.book(invoice)
  yield* mailer.announce(invoice, total)
})

const makeJson = (id: number) =>
  JSON.stringify({
    id,
    tenant: `tenant-${id % 12}`,
    lines: Array.from({ length: 5 }, (_, n) => ({ article: `A-${id}-${n}`, cents: 100 + n }))
  })

export const billing = Effect.gen(function*() {
  for (let id = 1;; id++) {
    yield* Effect.forkChild(receive(makeJson(id)))
    yield* Effect.sleep(jitter(10))
  }
})
