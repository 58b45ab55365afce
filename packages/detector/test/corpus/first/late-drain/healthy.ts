/**
 * Orders are queued while the warehouse is closed, for the first 40 % of the run; when it opens it works through the
 * backlog within a quarter of the run and keeps up from then on. Healthy: the queue is emptied, only late.
 */
import { Effect, Queue } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

interface Order {
  readonly id: number
  readonly lines: ReadonlyArray<{ readonly article: string; readonly count: number }>
}

const makeOrder = (id: number): Order => ({
  id,
  lines: Array.from({ length: 12 }, (_, n) => ({ article: `article ${id}-${n}`, count: n + 1 }))
})

const shop = Effect.fn("shop")(function*(orders: Queue.Queue<Order>) {
  for (let id = 1;; id++) {
    yield* Queue.offer(orders, makeOrder(id))
    yield* Effect.sleep(jitter(10))
  }
})

const warehouse = Effect.fn("warehouse")(function*(orders: Queue.Queue<Order>) {
  yield* Effect.sleep(part(0.4))
  while (true) {
    const batch = yield* Queue.takeBetween(orders, 1, elapsed() < 1 ? 8 : 20)
    yield* Effect.sleep(jitter(20))
    yield* Effect.logDebug(`packed ${batch.length} orders`)
  }
})

const program = Effect.gen(function*() {
  const orders = yield* Queue.unbounded<Order>()
  yield* Effect.forkChild(warehouse(orders))
  return yield* shop(orders)
})

Effect.runFork(program)
