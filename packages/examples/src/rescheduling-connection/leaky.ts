/**
 * LEAKY: a connection schedules its own next poll for ever, and nobody closes it.
 *
 * The timer holds the callback, the callback holds the connection, and the connection holds a buffer that only grows.
 * `close` would break the chain, but a caller who forgets it gets no error: every tenth request leaves one connection
 * behind, and each of them goes on buffering about 10 KB a second.
 */
import { Array, Console, Effect, Exit, Schedule } from "effect"
import { parseArgs } from "node:util"

class Connection {
  readonly buffer: Array<ReadonlyArray<number>> = []
  timer: NodeJS.Timeout | undefined

  readonly poll = () => {
    this.buffer.push(Array.makeBy(128, (n) => this.buffer.length + n))
    buffered++
    this.timer = setTimeout(this.poll, 100)
  }

  readonly close = () => {
    clearTimeout(this.timer)
    buffered -= this.buffer.length
    open--
  }
}

let requests = 0
let open = 0
let buffered = 0

const connect = Effect.fn("connect")(() =>
  Effect.sync(() => {
    open++
    const connection = new Connection()
    connection.poll()
    return connection
  })
)

const handleRequest = Effect.fn("handleRequest")(function*() {
  const connection = requests++ % 10 === 0 ? yield* connect() : undefined
  yield* Effect.sleep("5 millis")
  return connection?.buffer.length
})

const service = Effect.gen(function*() {
  yield* Console.log("rescheduling-connection, leaky: 100 requests a second, every tenth opens a connection")
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
// The connections still re-schedule themselves: without this the process would never end.
main.addObserver((exit) => process.exit(Exit.hasDies(exit) ? 1 : 0))
