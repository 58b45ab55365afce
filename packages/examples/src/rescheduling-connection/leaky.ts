/**
 * LEAKY: a connection schedules its own next poll for ever, and nobody closes it.
 *
 * The timer holds the callback, the callback holds the connection, and the connection holds a buffer that only grows. `close` would
 * break the chain, but a caller who forgets it gets no error: every request leaves one connection behind, and each of them goes on
 * buffering about 10 KB a second.
 */
import { Array, Effect, Layer } from "effect"
import { run } from "../run.ts"

let open = 0
let buffered = 0

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

const connect = Effect.fn("connect")(function*() {
  open++
  const connection = new Connection()
  connection.poll()
  return connection
})

const handleRequest = Effect.fn("handleRequest")(function*() {
  const connection = yield* connect()
  yield* Effect.sleep("5 millis")
  return connection.buffer.length
})

if (import.meta.main) {
  run({
    pattern: "rescheduling-connection",
    variant: "leaky",
    work: handleRequest(),
    called: "request",
    perSecond: 10,
    first: 50,
    services: Layer.empty,
    state: Effect.sync(() => `${open} connections are open, and have buffered ${buffered} messages`)
  })
}
