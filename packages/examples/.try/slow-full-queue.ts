/**
 * FIXED: at most a thousand orders wait, and who comes too late is told so.
 *
 * What changed: the queue became a mailbox, which has no default for its capacity: how much may pile up is a decision. So is what
 * happens then. Here the order is refused, which its sender can deal with; `overflow: "suspend"` would have the sender wait instead, and
 * in a server the senders would be what piles up.
 */
import * as Mailbox from "@fiberscope/core/Mailbox"
import { Array, Effect, Layer } from "effect"
import { run } from "/work/main/packages/examples/src/run.ts"

interface Order {
  readonly id: number
  readonly lines: ReadonlyArray<number>
}

let shipped = 0
let refused = 0

class Orders extends Mailbox.Service<Orders, Order>()("examples/Orders") {}

const ship = Effect.fn("ship")(function*() {
  yield* Effect.sleep("20 millis")
  shipped++
})

export const placeOrder = Effect.fn("placeOrder")(function*() {
  const orders = yield* Orders
  yield* orders.send({ id: 0, lines: Array.makeBy(128, (n) => shipped + n) }).pipe(
    Effect.catchTag("MailboxFull", () => Effect.sync(() => refused++))
  )
})

const shipping = Layer.effectDiscard(Effect.gen(function*() {
  const orders = yield* Orders
  yield* Effect.forkScoped(orders.run(ship, { concurrency: 1 }))
}))

export const services = Layer.provideMerge(
  shipping,
  Orders.layer({ capacity: 1000, overflow: "fail", onDrop: () => {} })
)

if (import.meta.main) {
  run({
    pattern: "unbounded-queue",
    variant: "fixed",
    work: placeOrder(),
    called: "order",
    perSecond: 100,
    first: 1500,
    services,
    state: Effect.gen(function*() {
      const orders = yield* Orders
      return `${yield* orders.size} orders wait, ${shipped} are shipped, ${refused} were refused`
    })
  })
}
