// Clients of a broker. Connections break all the time, and clients come back with a new one after a while. What a client
// had subscribed to is kept for 8 % of the run, for the case that it comes back sooner.
// Healthy: there are fifty clients, all there after a quarter of the run, and nothing is kept longer than that.
import { Data, Effect, Schedule } from "effect"
import { EventEmitter } from "node:events"
import { jitter, part } from "../../support/life.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly client: number }> {}

const broker = new EventEmitter()
broker.setMaxListeners(0)

const parked = new Map<number, ReadonlyArray<string>>()
let connections = 0

const park = (id: number, topics: ReadonlyArray<string>) => {
  parked.set(id, topics)
  setTimeout(() => parked.delete(id), part(0.08))
}

const connect = (client: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const id = ++connections
      const topics = Array.from({ length: 40 }, (_, n) => `topic-${n}/client-${client}/${id}`)
      const inbox: Array<number> = []
      const listener = (n: number) => {
        inbox.push(n)
        if (inbox.length > 20) inbox.shift()
      }
      broker.on("message", listener)
      return { id, inbox, listener, topics }
    }),
    ({ id, listener, topics }) =>
      Effect.sync(() => {
        broker.off("message", listener)
        park(id, topics)
      })
  )

const session = (client: number) =>
  Effect.scoped(Effect.gen(function*() {
    const { inbox } = yield* connect(client)
    const end = performance.now() + jitter(1500)
    while (performance.now() < end) {
      yield* Effect.sleep(jitter(200))
      inbox.length = 0
    }
    return yield* new Broken({ client })
  }))

const client = (n: number) =>
  session(n).pipe(Effect.retry(Schedule.jittered(Schedule.spaced("150 millis"))), Effect.delay(part(0.25) * (n / 50)))

let messages = 0
setInterval(() => broker.emit("message", ++messages), 20)
Effect.runFork(Effect.forEach(Array.from({ length: 50 }, (_, n) => n), client, { concurrency: "unbounded" }))
