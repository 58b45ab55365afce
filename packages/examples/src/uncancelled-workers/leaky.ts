/**
 * LEAKY: every session starts ten workers, and no session stops them.
 *
 * The workers of a session that is over go on waiting for the shared queue, so they also go on taking items of later
 * sessions. Each appends what it took to a cache of its own that nothing ever empties: ten fibers for each session,
 * and about 1 KB for each item.
 */
import { Array, Console, Effect, Exit, Queue, Schedule } from "effect"
import { parseArgs } from "node:util"

interface Item {
  readonly id: number
  readonly payload: ReadonlyArray<number>
}

let sessions = 0
let live = 0
let cached = 0

const worker = Effect.fn("worker")(
  function*(queue: Queue.Queue<Item>) {
    live++
    const cache: Array<Item> = []
    while (true) {
      cache.push(yield* Queue.take(queue))
      cached++
      yield* Effect.sleep("1 millis")
    }
  },
  Effect.ensuring(Effect.sync(() => live--))
)

const session = Effect.fn("session")(function*(queue: Queue.Queue<Item>) {
  sessions++
  yield* Effect.replicateEffect(Effect.forkDetach(worker(queue)), 10)
  yield* Queue.offerAll(queue, Array.makeBy(100, (id) => ({ id, payload: Array.makeBy(100, (n) => id + n) })))
  yield* Effect.sleep("100 millis")
})

const service = Effect.gen(function*() {
  yield* Console.log("uncancelled-workers, leaky: 5 sessions a second, 100 items each")
  const queue = yield* Queue.unbounded<Item>()
  yield* session(queue)
  yield* Console.log(`after the first session ${live} workers are live and their caches hold ${cached} items`)
  yield* session(queue).pipe(Effect.repeat(Schedule.fixed("200 millis")))
})

const summary = Effect.suspend(() =>
  Console.log(`end: ${sessions} sessions, ${live} workers are live and their caches hold ${cached} items`)
)

const { values } = parseArgs({ options: { for: { type: "string", default: "12" } } })

const main = service.pipe(
  Effect.timeoutOption(`${Number(values.for)} seconds`),
  Effect.ensuring(summary),
  Effect.runFork
)

process.once("SIGTERM", () => main.interruptUnsafe())
// Workers that wait for a queue hold no timer, but one that works may: do not leave the end to chance.
main.addObserver((exit) => process.exit(Exit.hasDies(exit) ? 1 : 0))
