/**
 * Shop → outbox → mail server. The outbox is a bounded queue, so a slow mail server slows the shop down.
 *
 * The fiber that empties the outbox outlives an address without "@".
 */
import { Context, Effect, Layer, Queue, Schedule } from "effect"
import "../../support/life.ts"

interface Mail {
  readonly to: string
  readonly body: ReadonlyArray<string>
}

class MailServer extends Context.Service<MailServer, {
  readonly transmit: (mail: Mail) => Effect.Effect<number>
}>()("shop/MailServer") {
  static readonly layer = Layer.succeed(MailServer, {
    transmit: Effect.fn("MailServer.transmit")(function*(mail) {
      const host = mail.to.split("@")[1]!
      yield* Effect.sleep("2 millis")
      return host.length + mail.body.length
    })
  })
}

class Outbox extends Context.Service<Outbox, {
  readonly send: (mail: Mail) => Effect.Effect<void>
}>()("shop/Outbox") {
  static readonly layer = Layer.effect(
    Outbox,
    Effect.gen(function*() {
      const { transmit } = yield* MailServer
      const queue = yield* Queue.bounded<Mail>(32)

      const drain = Effect.gen(function*() {
        const mail = yield* Queue.take(queue)
        yield* Effect.ignoreCause(transmit(mail))
      })
      yield* Effect.forkScoped(Effect.forever(drain))

      const send = Effect.fn("Outbox.send")(function*(mail: Mail) {
        yield* Queue.offer(queue, mail)
      })
      return { send }
    })
  ).pipe(Layer.provide(MailServer.layer))
}

let orders = 0

const order = Effect.fn("Shop.order")(function*() {
  const number = ++orders
  const outbox = yield* Outbox
  yield* Effect.sleep("5 millis")
  if (number % 4 > 0) return number
  yield* outbox.send({
    to: number % 100 === 0 ? `anonymous-${number}` : `customer-${number}@example.org`,
    body: Array.from({ length: 12 }, (_, n) => `item ${n} of order ${number}`)
  })
  return number
})

const shop = order().pipe(
  Effect.forkDetach,
  Effect.repeat(Schedule.jittered(Schedule.spaced("9 millis"))),
  Effect.provide(Outbox.layer)
)

Effect.runFork(shop)
