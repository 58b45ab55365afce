/**
 * LEAKY: every request starts a task that nobody will ever stop.
 *
 * `handleRequest` detaches `backgroundTask` and answers. From then on no parent, no scope and no variable knows that
 * fiber; only the timer it sleeps on does. It keeps its data for as long as the process lives: one fiber and about
 * 1 KB for each request.
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
  yield* Effect.forkDetach(backgroundTask(data))
  yield* Effect.sleep("5 millis")
  return data.length
})

const service = Effect.gen(function*() {
  yield* Console.log("background-tasks, leaky: 100 requests a second")
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
// The tasks that were left behind still hold their timers: without this the process would never end.
main.addObserver((exit) => process.exit(Exit.hasDies(exit) ? 1 : 0))
