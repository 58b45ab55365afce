/*
 * Requests are measured by route and status, in histograms, a summary and counts. What was measured is scraped every now
 * and then; the last three scrapes are kept.
 *
 * Healthy: there are twelve routes and three statuses, all of which are met within the first 150 requests.
 */
import { Effect, Metric, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

const latency = Metric.histogram("latency", {
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 1.5, count: 24 })
})
const size = Metric.summary("size", { maxAge: part(0.1), maxSize: 250, quantiles: [0.5, 0.9, 0.99] })
const agents = Metric.frequency("agents")
const running = Metric.gauge("running")

// the buckets of the last minute: one row for each second, used again
const lastMinute = Array.from({ length: 60 }, () => new Uint32Array(24))

let open = 0

const serve = Effect.fn("serve")(function*(n: number) {
  const route = `/route-${n % 12}`
  const status = n % 7 === 0 ? "404" : n % 11 === 0 ? "500" : "200"
  const start = performance.now()
  yield* Metric.update(running, ++open)
  yield* Effect.sleep(jitter(n % 40 === 0 ? 150 : 10))
  const took = performance.now() - start
  yield* Metric.update(Metric.withAttributes(latency, { route, status }), took)
  yield* Metric.update(size, 100 + Math.random() * 5000)
  yield* Metric.update(agents, ["firefox", "chrome", "safari", "curl"][n % 4] ?? "other")
  const row = lastMinute[Math.floor(start / 1000) % 60]
  const column = Math.min(23, Math.floor(Math.log2(took + 1) * 2))
  if (row) row[column] = (row[column] ?? 0) + 1
  yield* Metric.update(running, --open)
})

const scrapes: Array<string> = []

const scrape = Effect.fn("scrape")(function*() {
  const snapshots = yield* Metric.snapshot
  scrapes.push(snapshots.map(({ attributes, id, state }) => JSON.stringify([id, attributes, state])).join("\n"))
  if (scrapes.length > 3) scrapes.shift()
})

setInterval(() => lastMinute[(Math.floor(performance.now() / 1000) + 1) % 60]?.fill(0), 1000)

Effect.runFork(Effect.gen(function*() {
  yield* Effect.forkChild(Effect.repeat(scrape(), Schedule.spaced(part(0.03))))
  for (let n = 0;; n++) {
    yield* Effect.forkChild(serve(n))
    yield* Effect.sleep(jitter(10))
  }
}))
