/*
 * Requests are counted by route and timed.
 *
 * What leak.ts does wrong is put right here: the attribute holds the route.
 */
import { Effect, Metric, Random, Schedule } from "effect"
import "../../support/life.ts"

const requests = Metric.counter("http_requests", { incremental: true })
const duration = Metric.histogram("http_duration", { boundaries: [1, 2, 5, 10, 20, 50, 100] })

const routeOf = (path: string) => path.replaceAll(/\d+/g, ":id")

const measured = (path: string) => {
  const attributes = { method: "GET", path: routeOf(path) }
  return <A, E, R>(handler: Effect.Effect<A, E, R>) =>
    Effect.timed(handler).pipe(
      Effect.tap(() => Metric.update(Metric.withAttributes(requests, attributes), 1)),
      Effect.tap(([time]) => Metric.update(Metric.withAttributes(duration, attributes), Number(time) || 1)),
      Effect.map(([, answer]) => answer)
    )
}

let customers = 0

const handle = Effect.gen(function*() {
  const path = `/customers/${++customers}/orders/${yield* Random.nextIntBetween(0, 1_000_000)}`
  yield* Effect.sleep("3 millis").pipe(Effect.as(path.length), measured(path))
})

Effect.runFork(
  handle.pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("11 millis"))))
)
