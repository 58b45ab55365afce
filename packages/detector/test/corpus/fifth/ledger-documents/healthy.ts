/*
 * Ledgers are big JSON documents. Each is fetched, together with others that are asked for at about the same time, put
 * through a schema, added up, and encoded again.
 *
 * Why it is healthy: it makes a lot of garbage and keeps the sixty ledgers that were asked for last.
 */
import { Context, Effect, Exit, Layer, Request, RequestResolver, Schema } from "effect"
import { jitter } from "../../support/life.ts"

class Entry extends Schema.Class<Entry>("Entry")({
  account: Schema.String,
  cents: Schema.Number,
  tags: Schema.Array(Schema.String)
}) {
  get isDebit() {
    return this.cents < 0
  }
}

class Ledger extends Schema.Class<Ledger>("Ledger")({
  id: Schema.Number,
  entries: Schema.Array(Entry)
}) {}

class GetLedger extends Request.Class<{ readonly id: number }, string> {}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Ledger))
const encode = Schema.encodeEffect(Schema.fromJsonString(Ledger))

class Ledgers extends Context.Service<Ledgers, {
  readonly get: (id: number) => Effect.Effect<string>
}>()("books/Ledgers") {
  static readonly layer = Layer.effect(
    Ledgers,
    Effect.gen(function*() {
      const read = (id: number) =>
        JSON.stringify({
          id,
          entries: Array.from({ length: 70 }, (_, n) => ({
            account: `account ${n}`,
            cents: (n * id) % 301 - 150,
            tags: [`ledger ${id}`, n % 2 === 0 ? "even" : "odd"]
          }))
        })
      const resolver = yield* RequestResolver.make<GetLedger>(Effect.fnUntraced(function*(requests) {
        yield* Effect.sleep("6 millis")
        for (const { completeUnsafe, request } of requests) completeUnsafe(Exit.succeed(read(request.id)))
      })).pipe(
        RequestResolver.setDelay("15 millis"),
        RequestResolver.withCache({ capacity: 60 })
      )
      return { get: (id) => Effect.request(new GetLedger({ id }), resolver) }
    })
  )
}

const balance = Effect.fn("balance")(function*(id: number) {
  const { get } = yield* Ledgers
  const ledger = yield* decode(yield* get(id))
  const entries = ledger.entries.filter((entry) => entry.isDebit)
  const debit = yield* encode(new Ledger({ id, entries }))
  return debit.length
})

let asked = 0

const main = Effect.gen(function*() {
  yield* Effect.forkDetach(balance(Math.floor(++asked / 3 + Math.random() * 40)))
  yield* Effect.sleep(jitter(20))
}).pipe(Effect.forever, Effect.provide(Ledgers.layer))

Effect.runFork(main)
