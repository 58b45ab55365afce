/**
 * FIXED: at most a thousand orders wait, and further orders are refused with an error.
 *
 * The change: the queue became a mailbox, which has no default capacity, so its size is a decision. The behaviour of a full mailbox is
 * one too. Here the order is refused, and its sender can handle that; `overflow: "suspend"` would make the sender wait instead, and in
 * a server the senders would pile up.
 */
import * as Mailbox from "@fiberscope/core/Mailbox"
import { Array, Effect, Layer } from "effect"
import { run } from "../run.ts"

interface Order {
  readonly id: number
  readonly lines: ReadonlyArray<number>
}

let shipped = 0
let refused = 0
let shipping = 0

class Orders extends Mailbox.Service<Orders, Order>()("examples/Orders") {}

const ship = Effect.fn("ship")(function*() {
  yield* Effect.acquireRelease(Effect.sync(() => shipping++), () => Effect.sync(() => shipping--))
  yield* Effect.sleep("20 millis")
  shipped++
}, Effect.scoped)

export const placeOrder = Effect.fn("placeOrder")(function*() {
  const orders = yield* Orders
  yield* orders.send({ id: 0, lines: Array.makeBy(128, (n) => shipped + n) }).pipe(
    Effect.catchTag("MailboxFull", () => Effect.sync(() => refused++))
  )
})

const workers = Layer.effectDiscard(Effect.gen(function*() {
  const orders = yield* Orders
  yield* Effect.replicateEffect(Effect.forkScoped(orders.run(ship), { startImmediately: true }), 2)
}))

export const services = Layer.provideMerge(
  workers,
  Orders.layer({ capacity: 1000, overflow: "fail", onDrop: () => {} })
)

/** The number of orders that are being shipped; 0 when the workers have ended. */
export const left = (): number => shipping

if (import.meta.main) {
  run({
    pattern: "unbounded-queue",
    variant: "fixed",
    work: placeOrder(),
    called: "order",
    perSecond: 500,
    first: 1500,
    services,
    state: Effect.gen(function*() {
      const orders = yield* Orders
      return `${yield* orders.size} orders wait, ${shipped} are shipped, ${refused} were refused`
    })
  })
}
