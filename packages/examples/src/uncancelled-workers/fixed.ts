/**
 * FIXED: a session owns its queue and its workers, and a worker keeps one batch.
 *
 * What changed: the workers are forked in the scope of the session, which ends the queue and waits until they have
 * emptied it; if the session is interrupted instead, the same scope interrupts them. A worker takes at most ten items
 * at a time and forgets them when the batch is done: there is no cache that could grow.
 */
import { Array, Cause, Console, Effect, Exit, Fiber, Queue, Schedule } from "effect"
import { parseArgs } from "node:util"

interface Item {
  readonly id: number
  readonly payload: ReadonlyArray<number>
}

let sessions = 0
let processed = 0
let live = 0
let cached = 0

const processBatch = Effect.fn("processBatch")(function*(batch: ReadonlyArray<Item>) {
  cached += batch.length
  yield* Effect.sleep("10 millis")
  processed += batch.length
}, (effect, batch) => Effect.ensuring(effect, Effect.sync(() => cached -= batch.length)))

const worker = Effect.fn("worker")(
  function*(queue: Queue.Queue<Item, Cause.Done>) {
    live++
    while (true) {
      yield* processBatch(yield* Queue.takeBetween(queue, 1, 10))
    }
  },
  Effect.catchTag("Done", () => Effect.void),
  Effect.ensuring(Effect.sync(() => live--))
)

const session = Effect.fn("session")(function*() {
  sessions++
  const queue = yield* Queue.bounded<Item, Cause.Done>(100)
  const workers = yield* Effect.replicateEffect(Effect.forkScoped(worker(queue)), 10)
  yield* Queue.offerAll(queue, Array.makeBy(100, (id) => ({ id, payload: Array.makeBy(100, (n) => id + n) })))
  yield* Queue.end(queue)
  yield* Fiber.joinAll(workers)
}, Effect.scoped)

const service = Effect.gen(function*() {
  yield* Console.log("uncancelled-workers, fixed: 5 sessions a second, 100 items each")
  yield* session()
  yield* Console.log(`after the first session ${live} workers are live and their caches hold ${cached} items`)
  yield* session().pipe(Effect.repeat(Schedule.fixed("200 millis")))
})

const summary = Effect.suspend(() =>
  Console.log(
    `end: ${sessions} sessions, ${processed} items processed, ${live} workers are live and their caches hold ${cached} items`
  )
)

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
