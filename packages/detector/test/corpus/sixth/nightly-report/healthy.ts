/*
 * A shop keeps its last 300 orders. Twenty-five times in a run a report is made of them: a large table that is
 * summed up and thrown away; the latest two sums are kept, to compare them. Every two seconds a small job looks for
 * late orders.
 *
 * Healthy: a report lives for some milliseconds, and a new sum replaces the one before the last.
 */
import { Effect, Ref, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Order {
  readonly id: number
  readonly country: string
  readonly cents: number
  late: boolean
}

interface Sum {
  readonly total: number
  readonly byCountry: ReadonlyMap<string, number>
}

const countries = ["at", "be", "ch", "de", "es", "fr", "it", "nl"]

const report = Effect.fn("Reports.make")(function*(orders: ReadonlyArray<Order>, sums: Ref.Ref<ReadonlyArray<Sum>>) {
  const rows: Array<{ readonly key: string; readonly day: number; readonly cents: number }> = []
  for (let day = 0; day < 15; day++) {
    for (const order of orders) {
      rows.push({ key: `${order.country}/${day}/${order.id}`, day, cents: order.cents * (1 + day / 100) })
    }
    yield* Effect.yieldNow
  }
  const byCountry = new Map<string, number>()
  for (const { cents, key } of rows) byCountry.set(key.slice(0, 2), (byCountry.get(key.slice(0, 2)) ?? 0) + cents)
  yield* Effect.sleep(jitter(60))
  const total = rows.reduce((sum, { cents }) => sum + cents, 0)
  yield* Ref.update(sums, (sums) => [{ total, byCountry }, ...sums].slice(0, 2))
})

const findLate = Effect.fn("Orders.findLate")(function*(orders: ReadonlyArray<Order>) {
  const late = orders.filter(({ id }) => id % 17 === 0)
  for (const order of late) order.late = true
  return yield* Effect.succeed(late.length)
})

Effect.runFork(Effect.gen(function*() {
  const orders: Array<Order> = []
  const sums = yield* Ref.make<ReadonlyArray<Sum>>([])
  yield* Effect.forkChild(Effect.schedule(Effect.suspend(() => report(orders, sums)), Schedule.fixed(part(0.04))))
  yield* Effect.forkChild(Effect.schedule(Effect.suspend(() => findLate(orders)), Schedule.cron("*/2 * * * * *")))
  for (let id = 0;; id++) {
    orders.push({ id, country: countries[id % 8] ?? "xx", cents: Math.floor(Math.random() * 10_000), late: false })
    if (orders.length > 300) orders.shift()
    yield* Effect.sleep(jitter(16))
  }
}))
