/*
 * Requests are logged and counted by route. Entries of the log are shipped ten times in a run; there are ninety routes,
 * and the last of them is first used at 40 % of it.
 *
 * Why it is healthy: what has been shipped is gone, and a route has two series of metrics, however often it is used.
 */
import { Effect, Layer, Logger, Metric } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

const requests = Metric.counter("requests", { incremental: true })
const sizes = Metric.histogram("sizes", { boundaries: Metric.linearBoundaries({ start: 0, width: 100, count: 80 }) })

let shipped = 0

const ShippedLogs = Logger.layer([
  Logger.batched(Logger.formatStructured, {
    window: part(0.1),
    flush: (entries) =>
      Effect.sync(() => {
        shipped += JSON.stringify(entries).length
      })
  })
])

const handle = Effect.fn("handle")(function*(route: string, id: number) {
  const answer = Array.from({ length: 20 }, (_, n) => `${route}/${id}?page=${n}`)
  yield* Effect.sleep(jitter(8))
  yield* Effect.logInfo("handled", { route, answer })
  yield* Metric.update(Metric.withAttributes(requests, { route }), 1)
  yield* Metric.update(Metric.withAttributes(sizes, { route }), answer.join().length)
}, (effect, route) => Effect.annotateLogs(effect, { route }))

const main = Effect.gen(function*() {
  for (let id = 0;; id++) {
    const known = 3 + Math.floor(87 * Math.min(elapsed() / 0.4, 1))
    yield* Effect.forkChild(handle(`/route-${Math.floor(Math.random() * known)}`, id))
    yield* Effect.sleep(jitter(13))
  }
})

Effect.runFork(main.pipe(Effect.provide(Layer.mergeAll(ShippedLogs))))
