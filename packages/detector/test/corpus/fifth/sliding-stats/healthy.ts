/*
 * Response times of a cluster, and what is typical of the last fifth of the run: every measurement is kept that long.
 *
 * Why it is healthy: as much leaves the window as comes in, once it has been filled.
 */
import { Effect, Schedule, Stream, SubscriptionRef, SynchronizedRef } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Measurement {
  readonly at: number
  readonly node: string
  readonly millis: number
  readonly path: ReadonlyArray<string>
}

const span = part(0.2)
let count = 0

const measure = (): Measurement => ({
  at: performance.now(),
  node: `node ${++count % 9}`,
  millis: Math.random() * 100,
  path: Array.from({ length: 10 }, (_, n) => `hop ${n} of ${count}`)
})

const slide = (window: ReadonlyArray<Measurement>, measurement: Measurement) =>
  Effect.sync(() => {
    const oldest = measurement.at - span
    const from = window.findIndex(({ at }) => at >= oldest)
    return [...window.slice(from < 0 ? window.length : from), measurement]
  })

const typical = (window: ReadonlyArray<Measurement>) => {
  const sorted = window.map(({ millis }) => millis).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const main = Effect.gen(function*() {
  const window = yield* SynchronizedRef.make<ReadonlyArray<Measurement>>([])
  const median = yield* SubscriptionRef.make(0)

  yield* Effect.gen(function*() {
    const measurement = measure()
    yield* SynchronizedRef.updateEffect(window, (soFar) => slide(soFar, measurement))
    yield* Effect.sleep(jitter(15))
  }).pipe(Effect.forever, Effect.forkChild)

  yield* SynchronizedRef.get(window).pipe(
    Effect.flatMap((measurements) => SubscriptionRef.set(median, typical(measurements))),
    Effect.repeat(Schedule.spaced("500 millis")),
    Effect.forkChild
  )

  yield* SubscriptionRef.changes(median).pipe(
    Stream.sliding(4),
    Stream.map((medians) => Math.max(...medians) - Math.min(...medians)),
    Stream.runForEach((swing) => Effect.logDebug(`${swing}`))
  )
})

Effect.runFork(main)
