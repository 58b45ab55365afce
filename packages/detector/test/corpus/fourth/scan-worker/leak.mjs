// a worker that takes documents from a scanner, each over a channel of its own
// leak: the scope is around the loop, not around a turn of it, so channels are given back when the worker stops: never
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

let open = 0

const openChannel = (id) => {
  open++
  return { id, window: Array.from({ length: 50 }, (_, n) => ({ n, ack: Math.random() })) }
}

const closeChannel = (channel) =>
  Effect.sync(() => {
    open--
    channel.window.length = 0
  })

let id = 0

const worker = Effect.gen(function*() {
  const channel = yield* Effect.acquireRelease(Effect.sync(() => openChannel(++id)), closeChannel)
  yield* Effect.sleep(jitter(20))
  return channel.window.filter(({ ack }) => ack > 0.5).length
})

const main = Effect.scoped(Effect.forever(worker))

Effect.runFork(main)
