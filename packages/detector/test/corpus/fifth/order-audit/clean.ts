/*
 * Orders are published to whoever is interested: the warehouse, which is fast, and the audit, which signs each order.
 *
 * Signing an order takes four milliseconds, so that the audit keeps up.
 */
import { Effect, PubSub } from "effect"
import { createHmac } from "node:crypto"
import { jitter } from "../../support/life.ts"

interface Order {
  readonly number: number
  readonly lines: ReadonlyArray<string>
}

class Orders {
  private readonly hub: PubSub.PubSub<Order>
  private count = 0

  constructor(hub: PubSub.PubSub<Order>) {
    this.hub = hub
  }

  place(items: number) {
    const number = ++this.count
    const order = { number, lines: Array.from({ length: items }, (_, n) => `order ${number}, line ${n}`) }
    PubSub.publishUnsafe(this.hub, order)
    return order
  }

  each(handle: (order: Order) => Effect.Effect<unknown>) {
    return Effect.scoped(Effect.gen({ self: this }, function*() {
      const subscription = yield* PubSub.subscribe(this.hub)
      while (true) yield* handle(yield* PubSub.take(subscription))
    }))
  }
}

class Audit {
  private last = ""

  record(order: Order) {
    return Effect.sync(() => {
      this.last = createHmac("sha256", this.last || "first").update(order.lines.join()).digest("hex")
    }).pipe(Effect.delay("4 millis"))
  }
}

class Warehouse {
  private readonly stock = new Map<string, number>()

  reserve(order: Order) {
    return Effect.sync(() => {
      for (const line of order.lines) {
        const article = line.slice(-2)
        this.stock.set(article, (this.stock.get(article) ?? 1000) - 1)
      }
    })
  }
}

const main = Effect.gen(function*() {
  const orders = new Orders(yield* PubSub.unbounded<Order>())
  const audit = new Audit()
  const warehouse = new Warehouse()
  yield* Effect.forkChild(orders.each((order) => audit.record(order)))
  yield* Effect.forkChild(orders.each((order) => warehouse.reserve(order)))
  while (true) {
    orders.place(60)
    yield* Effect.sleep(jitter(15))
  }
})

Effect.runFork(main)
