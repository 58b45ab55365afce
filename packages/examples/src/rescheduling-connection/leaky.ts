/**
 * LEAKY: a connection schedules its own next poll forever and is never closed.
 *
 * The timer holds the callback, the callback holds the connection, and the connection holds a buffer that only grows. `close` would
 * break the chain, but a caller that forgets it gets no error: one connection remains after each request, and continues to buffer about
 * 10 KB per second.
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
