/**
 * FIXED: a connection is a scoped resource, and polling is a schedule inside that scope.
 *
 * What changed: `acquireRelease` ties `close` to the scope of the request, so it cannot be forgotten. The callback that
 * scheduled itself became a fiber of the same scope that repeats on a schedule. The buffer slides: it keeps the newest
 * 100 messages.
 */
import { Array, Console, Effect, Exit, Queue, Schedule } from "effect"
import { parseArgs } from "node:util"

let requests = 0
let open = 0
let buffered = 0

const poll = Effect.fn("poll")(function*(buffer: Queue.Queue<ReadonlyArray<number>>) {
  yield* Queue.offer(buffer, Array.makeBy(128, (n) => buffered + n))
  buffered++
})

const connect = Effect.fn("connect")(function*() {
  const buffer = yield* Effect.acquireRelease(
    Effect.tap(Queue.sliding<ReadonlyArray<number>>(100), Effect.sync(() => open++)),
    (buffer) =>
      Effect.flatMap(Queue.clear(buffer), (rest) =>
        Effect.sync(() => {
          buffered -= rest.length
          open--
        }))
  )
  yield* poll(buffer).pipe(Effect.repeat(Schedule.spaced("100 millis")), Effect.forkScoped)
  return buffer
})

const handleRequest = Effect.fn("handleRequest")(function*() {
  const connection = requests++ % 10 === 0 ? yield* connect() : undefined
  yield* Effect.sleep("5 millis")
  return connection === undefined ? 0 : yield* Queue.size(connection)
}, Effect.scoped)

const service = Effect.gen(function*() {
  yield* Console.log("rescheduling-connection, fixed: 100 requests a second, every tenth opens a connection")
  yield* Effect.replicateEffect(handleRequest(), 500, { concurrency: "unbounded", discard: true })
  yield* Console.log(`${open} connections are open after the first ${requests} requests`)
  yield* handleRequest().pipe(Effect.repeat(Schedule.fixed("10 millis")))
})

const summary = Effect.suspend(() =>
  Console.log(`end: ${requests} requests, ${open} connections are open and have buffered ${buffered} messages`)
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
