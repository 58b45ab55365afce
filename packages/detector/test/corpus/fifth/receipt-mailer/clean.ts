/*
 * Receipts are mailed, four at a time, as payments come in.
 *
 * The stream is run with runDrain, which forgets what comes out of it.
 */
import { Context, Effect, Layer, Queue, Schema, Stream } from "effect"
import { jitter } from "../../support/life.ts"

class Receipt extends Schema.Class<Receipt>("Receipt")({
  payment: Schema.Number,
  lines: Schema.Array(Schema.String)
}) {
  get text() {
    return this.lines.join("\n")
  }
}

class Mail extends Context.Service<Mail, {
  readonly send: (receipt: Receipt) => Effect.Effect<{ readonly receipt: Receipt; readonly size: number }>
}>()("payments/Mail") {
  static readonly layer = Layer.succeed(Mail, {
    send: Effect.fnUntraced(function*(receipt: Receipt) {
      yield* Effect.sleep(jitter(15))
      return { receipt, size: receipt.text.length }
    })
  })
}

class Payments extends Context.Service<Payments, {
  readonly receipts: Stream.Stream<Receipt>
}>()("payments/Payments") {
  static readonly layer = Layer.effect(
    Payments,
    Effect.gen(function*() {
      const queue = yield* Queue.bounded<number>(16)
      let payments = 0
      yield* Effect.suspend(() => Queue.offer(queue, ++payments)).pipe(
        Effect.andThen(Effect.suspend(() => Effect.sleep(jitter(16)))),
        Effect.forever,
        Effect.forkScoped
      )
      return {
        receipts: Stream.fromQueue(queue).pipe(
          Stream.map((payment) =>
            new Receipt({ payment, lines: Array.from({ length: 20 }, (_, n) => `${n}. article of payment ${payment}`) })
          )
        )
      }
    })
  )
}

const mailReceipts = Effect.gen(function*() {
  const { receipts } = yield* Payments
  const { send } = yield* Mail
  yield* receipts.pipe(
    Stream.mapEffect(send, { concurrency: 4, unordered: true }),
    Stream.filter(({ size }) => size > 0),
    Stream.runDrain
  )
}).pipe(Effect.withSpan("mail-receipts"))

Effect.runFork(mailReceipts.pipe(Effect.provide(Layer.merge(Payments.layer, Mail.layer))))
