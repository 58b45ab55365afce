/**
 * FIXED: at most a thousand orders wait, and who comes too late is told so.
 *
 * What changed: the queue became a mailbox, which has no default for its capacity: how much may pile up is a decision. So is what
 * happens then. Here the order is refused, which its sender can deal with; `overflow: "suspend"` would have the sender wait instead, and
 * in a server the senders would be what piles up.
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

/** Orders on their way; none when the workers have ended. */
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
