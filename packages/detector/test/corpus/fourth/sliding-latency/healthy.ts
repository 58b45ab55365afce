/**
 * Percentiles of the latency over a sliding window, which is 30 % of the run long.
 * Healthy: what is older than the window leaves it. It looks like a leak until the window is full for the first time.
 */
import { Clock, Effect, Ref, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Measurement {
  readonly at: number
  readonly millis: number
  readonly labels: ReadonlyArray<string>
}

const window = Ref.makeUnsafe<ReadonlyArray<Measurement>>([])

const record = Effect.fn("Latency.record")(function*(millis: number, route: string) {
  const at = yield* Clock.currentTimeMillis
  const labels = [
    route,
    `status=${millis > 30 ? 504 : 200}`,
    `at=${at}`,
    `took=${millis}`,
    `host=${route.length}.${at % 7}`
  ]
  yield* Ref.update(window, (all) => [...all, { at, millis, labels }])
})

const evict = Effect.fn("Latency.evict")(function*() {
  const limit = (yield* Clock.currentTimeMillis) - part(0.3)
  yield* Ref.update(window, (all) => all.filter(({ at }) => at >= limit))
})

const percentile = Effect.fn("Latency.percentile")(function*(share: number) {
  const sorted = (yield* Ref.get(window)).map(({ millis }) => millis).sort((a, b) => a - b)
  return sorted[Math.floor(share * sorted.length)] ?? 0
})

const request = Effect.fn("Api.request")(function*(route: string) {
  const millis = jitter(20)
  yield* Effect.sleep(millis)
  yield* record(millis, route)
})

const main = Effect.gen(function*() {
  yield* Effect.forkChild(Effect.repeat(evict(), Schedule.spaced("200 millis")))
  yield* Effect.forkChild(Effect.repeat(percentile(0.99), Schedule.spaced("1 second")))
  for (let n = 0;; n++) {
    yield* Effect.forkChild(request(`/route/${n % 12}`))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(main)
