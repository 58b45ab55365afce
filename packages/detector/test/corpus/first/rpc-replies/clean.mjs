// A client of a message bus: a request is published with a correlation id and its fiber waits for the reply.
// The twin of leak.mjs: after two seconds the fiber gives up and takes its entry with it.
import { Deferred, Effect } from "effect"
import { EventEmitter } from "node:events"
import { jitter } from "../../support/life.ts"

const bus = new EventEmitter()
const pending = new Map()
let lastId = 0

bus.on("request", (message) => {
  if (Math.random() < 1 / 15) return
  setTimeout(() => bus.emit("reply", { id: message.id, total: message.lines.reduce((a, b) => a + b, 0) }), jitter(20))
})

bus.on("reply", (message) => {
  const waiting = pending.get(message.id)
  if (waiting === undefined) return
  pending.delete(message.id)
  Effect.runFork(Deferred.succeed(waiting, message.total))
})

const ask = (lines) =>
  Effect.gen(function*() {
    const id = ++lastId
    const reply = yield* Deferred.make()
    pending.set(id, reply)
    bus.emit("request", { id, lines })
    return yield* Deferred.await(reply).pipe(
      Effect.timeout("2 seconds"),
      Effect.ensuring(Effect.sync(() => pending.delete(id)))
    )
  })

const next = () => {
  const lines = Array.from({ length: 30 }, () => Math.random() * 100)
  Effect.runFork(ask(lines).pipe(Effect.map((total) => total + lines.length)))
  setTimeout(next, jitter(10))
}

next()
