/**
 * Reports are drawn by a paid service that allows twenty calls in a second, which a rate limiter sees to.
 *
 * The mistake: more than thirty are asked for in each second, every day and all day, and the limiter lets them all wait.
 */
import { Context, Data, Effect, Layer, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import "../../support/life.ts"

class TooBusy extends Data.TaggedError("TooBusy")<{ readonly report: number }> {}

class Drawing extends Context.Service<Drawing, {
  readonly draw: (report: number, rows: ReadonlyArray<ReadonlyArray<number>>) => Effect.Effect<string, TooBusy>
}>()("reports/Drawing") {
  static readonly layer = Layer.effect(
    Drawing,
    Effect.gen(function*() {
      const withLimit = yield* RateLimiter.makeWithRateLimiter

      const call = Effect.fn("Drawing.call")(function*(report: number, rows: ReadonlyArray<ReadonlyArray<number>>) {
        yield* Effect.sleep("30 millis")
        return `${report}: ${rows.length} rows`
      })

      const draw = Effect.fn("Drawing.draw")(function*(report: number, rows: ReadonlyArray<ReadonlyArray<number>>) {
        return yield* call(report, rows).pipe(
          withLimit({ key: "drawing", limit: 20, window: "1 second", algorithm: "token-bucket", onExceeded: "delay" }),
          Effect.catchTag("RateLimiterError", () => Effect.fail(new TooBusy({ report })))
        )
      })
      return { draw }
    })
  ).pipe(
    Layer.provide(RateLimiter.layer),
    Layer.provide(RateLimiter.layerStoreMemory)
  )
}

let reports = 0

const makeReport = Effect.fn("Reports.make")(
  function*() {
    const { draw } = yield* Drawing
    const report = ++reports
    const rows = Array.from({ length: 40 }, (_, n) => [n, report, Math.random()])
    yield* Effect.sleep("3 millis")
    if (report % 3 > 0) return `${report} is a table`
    return yield* draw(report, rows)
  },
  Effect.catchTag("TooBusy", ({ report }) => Effect.succeed(`${report} is not available`))
)

const main = makeReport().pipe(
  Effect.forkDetach,
  Effect.repeat(Schedule.jittered(Schedule.spaced("9 millis"))),
  Effect.provide(Drawing.layer)
)

Effect.runFork(main)
