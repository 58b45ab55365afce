/**
 * FIXED: a task lives in the scope of the request that needs it.
 *
 * What changed: `Effect.forkDetach` became `Effect.forkScoped`, and `Effect.scoped` closes the scope when the request
 * ends, be it by success, failure or interruption. The task is interrupted there and its data can be collected.
 */
import { Array, Console, Effect, Exit, Schedule } from "effect"
import { parseArgs } from "node:util"

let requests = 0
let live = 0

const backgroundTask = Effect.fn("backgroundTask")(
  function*(data: ReadonlyArray<number>) {
    live++
    while (true) {
      yield* Effect.sleep("1 second")
      yield* Effect.sync(() => data.map((n) => n * 2))
    }
  },
  Effect.ensuring(Effect.sync(() => live--))
)

const handleRequest = Effect.fn("handleRequest")(function*() {
  const data = Array.makeBy(128, (n) => requests + n)
  requests++
  yield* Effect.forkScoped(backgroundTask(data))
  yield* Effect.sleep("5 millis")
  return data.length
}, Effect.scoped)

const service = Effect.gen(function*() {
  yield* Console.log("background-tasks, fixed: 100 requests a second")
  yield* Effect.replicateEffect(handleRequest(), 100, { concurrency: "unbounded", discard: true })
  yield* Console.log(`${live} background tasks are live after the first ${requests} requests`)
  yield* handleRequest().pipe(Effect.repeat(Schedule.fixed("10 millis")))
})

const summary = Effect.suspend(() => Console.log(`end: ${requests} requests, ${live} background tasks are live`))

const { values } = parseArgs({ options: { for: { type: "string", default: "12" } } })

const main = service.pipe(
  Effect.timeoutOption(`${Number(values.for)} seconds`),
  Effect.ensuring(summary),
  Effect.runFork
)

process.once("SIGTERM", () => main.interruptUnsafe())
// Nothing was left behind, so the process ends by itself.
main.addObserver((exit) => {
  process.exitCode = Exit.hasDies(exit) ? 1 : 0
})
