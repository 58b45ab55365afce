/**
 * Jobs, and a history of the last ones for a page that shows them. It consists of the very fibers, which have ended.
 *
 * Healthy: the history holds so many and no more. It is full when less than half of the run is over.
 */
import { Effect, Fiber, Schedule } from "effect"
import { jitter, seconds } from "../../support/life.ts"

const size = seconds * 25
const history: Array<Fiber.Fiber<ReadonlyArray<string>>> = []

const runJob = (id: number) =>
  Effect.sleep(jitter(40)).pipe(
    Effect.as(Array.from({ length: 15 }, (_, n) => `job ${id}, step ${n}`)),
    Effect.withSpan("job.run", { attributes: { id } })
  )

const submit = (id: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(runJob(id))
    history.push(fiber)
    while (history.length > size) history.shift()
  }).pipe(Effect.withSpan("job.submit"))

const showHistory = Effect.suspend(() => Fiber.joinAll(history.slice(-20))).pipe(
  Effect.map((results) => results.flat().join("\n").length),
  Effect.withSpan("job.history")
)

const jobs = Effect.gen(function*() {
  yield* Effect.forkChild(Effect.repeat(showHistory, Schedule.spaced("500 millis")))
  for (let id = 1;; id++) {
    yield* submit(id)
    yield* Effect.sleep(jitter(14))
  }
})

Effect.runFork(jobs)
