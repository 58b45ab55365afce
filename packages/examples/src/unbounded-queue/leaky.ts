/**
 * LEAKY: orders arrive faster than they are taken from a queue, and the queue has no limit.
 *
 * Two workers cannot ship the orders as fast as they arrive. Nothing fails and no sender waits: the queue only gets longer, about 1 KB
 * for each order, and orders spend more and more time in it.
 */
import { Array, Effect, Layer, Queue } from "effect"
import { run } from "../run.ts"

interface Order {
  readonly id: number
  readonly lines: ReadonlyArray<number>
}

let shipped = 0

const orders = Effect.runSync(Queue.unbounded<Order>())

const ship = Effect.fn("ship")(function*() {
  while (true) {
    yield* Queue.take(orders)
    yield* Effect.sleep("20 millis")
    shipped++
  }
})

const placeOrder = Effect.fn("placeOrder")(function*() {
  yield* Queue.offer(orders, { id: 0, lines: Array.makeBy(128, (n) => shipped + n) })
})

if (import.meta.main) {
  run({
    pattern: "unbounded-queue",
    variant: "leaky",
    work: placeOrder(),
    called: "order",
    perSecond: 500,
    first: 1500,
    services: Layer.effectDiscard(Effect.replicateEffect(Effect.forkScoped(ship()), 2)),
    state: Effect.sync(() => `${Queue.sizeUnsafe(orders)} orders wait, ${shipped} are shipped`)
  })
}
