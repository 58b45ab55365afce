/**
 * FIXED: a connection is a scoped resource that a pool opens, lends and closes, and polling is a schedule in that scope.
 *
 * The change: `acquireRelease` ties `close` to the scope of the connection, so it cannot be forgotten. The callback that scheduled
 * itself became a fiber in the same scope that repeats on a schedule. The buffer slides: it keeps the newest 20 messages. Requests
 * borrow a connection: at most ten are ever open, and the pool names a borrower that does not return one.
 */
import * as ConnectionPool from "@fiberscope/core/ConnectionPool"
import { Array, Effect, Queue, Schedule } from "effect"
import { run } from "../run.ts"

let open = 0
let buffered = 0

type Message = ReadonlyArray<number>

const openBuffer = Effect.acquireRelease(
  Effect.tap(Queue.sliding<Message>(20), Effect.sync(() => open++)),
  (buffer) =>
    Effect.sync(() => {
      buffered -= Queue.sizeUnsafe(buffer)
      open--
    })
)

const poll = Effect.fn("poll")(function*(buffer: Queue.Queue<Message>) {
  const before = Queue.sizeUnsafe(buffer)
  Queue.offerUnsafe(buffer, Array.makeBy(128, (n) => before + n))
  buffered += Queue.sizeUnsafe(buffer) - before
})

const connect = Effect.fn("connect")(function*() {
  const buffer = yield* openBuffer
  yield* poll(buffer).pipe(Effect.repeat(Schedule.spaced("100 millis")), Effect.forkScoped)
  return buffer
})

class Connections extends ConnectionPool.Service<Connections, Queue.Queue<Message>>()("examples/Connections") {}

export const services = Connections.layer({ name: "feed", acquire: connect(), max: 10 })

export const handleRequest = Effect.fn("handleRequest")(function*() {
  const connections = yield* Connections
  const buffer = yield* connections.lease()
  yield* Effect.sleep("5 millis")
  return yield* Queue.size(buffer)
}, Effect.scoped)

/** The number of open connections and buffered messages; 0 when the pool has ended. */
export const left = (): number => open + buffered

if (import.meta.main) {
  run({
    pattern: "rescheduling-connection",
    variant: "fixed",
    work: handleRequest(),
    called: "request",
    perSecond: 10,
    first: 50,
    services,
    state: Effect.sync(() => `${open} connections are open, and have buffered ${buffered} messages`)
  })
}
