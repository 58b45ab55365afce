/*
 * Spans go to a collector in batches, once a second.
 *
 * What is wrong: the collector is not there, and a batch that could not be sent is put back, together with the spans of
 * the next second, and the next.
 */
import { Data, Effect, Schedule, Tracer } from "effect"
import "../../support/life.ts"

class CollectorDown extends Data.TaggedError("CollectorDown")<{}> {}

class Exporter {
  private finished: Array<Tracer.Span> = []

  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        end(time, exit)
        this.finished.push(span)
      }
      return span
    }
  })

  readonly flush = Effect.suspend(() => {
    const batch = this.finished
    this.finished = []
    return this.post(batch).pipe(
      Effect.catch(() =>
        Effect.sync(() => {
          this.finished = [...batch, ...this.finished]
        })
      )
    )
  })

  private post(batch: ReadonlyArray<Tracer.Span>) {
    return Effect.delay(batch.length < 0 ? Effect.void : Effect.fail(new CollectorDown()), "20 millis")
  }
}

const exporter = new Exporter()

const loadUser = Effect.fn("loadUser")(function*(id: number) {
  yield* Effect.annotateCurrentSpan({ id, query: `select * from users where id = ${id}` })
  yield* Effect.sleep("3 millis")
  return { id, name: `user ${id}` }
})

let users = 0

const request = Effect.fn("request")(function*() {
  const user = yield* loadUser(++users)
  yield* Effect.annotateCurrentSpan({ user: user.name, status: 200 })
})

Effect.runFork(Effect.repeat(exporter.flush, Schedule.spaced("1 second")))
Effect.runFork(
  request().pipe(
    Effect.forkDetach,
    Effect.repeat(Schedule.jittered(Schedule.spaced("12 millis"))),
    Effect.withTracer(exporter.tracer)
  )
)
