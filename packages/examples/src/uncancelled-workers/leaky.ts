/**
 * LEAKY: every session starts ten workers and never stops them.
 *
 * After a session has ended, its workers still wait for the shared queue, so they take items of later sessions. Each worker adds its
 * items to its own cache, which is never emptied: ten fibers for each session, and about 1 KB for each item.
 */
import { Array, Effect, Layer, Queue } from "effect"
import { run } from "../run.ts"

interface Item {
  readonly id: number
  readonly payload: ReadonlyArray<number>
}

let live = 0
let cached = 0

const queue = Effect.runSync(Queue.unbounded<Item>())

const worker = Effect.fn("worker")(function*() {
  yield* Effect.acquireRelease(Effect.sync(() => live++), () => Effect.sync(() => live--))
  const cache: Array<Item> = []
  while (true) {
    cache.push(yield* Queue.take(queue))
    cached++
    yield* Effect.sleep("1 millis")
  }
}, Effect.scoped)

const session = Effect.fn("session")(function*() {
  yield* Effect.replicateEffect(Effect.forkDetach(worker()), 10)
  yield* Queue.offerAll(queue, Array.makeBy(100, (id) => ({ id, payload: Array.makeBy(100, (n) => id + n) })))
  yield* Effect.sleep("100 millis")
})

if (import.meta.main) {
  run({
    pattern: "uncancelled-workers",
    variant: "leaky",
    work: session(),
    called: "session",
    perSecond: 5,
    first: 1,
    services: Layer.empty,
    state: Effect.sync(() => `${live} workers are live, and their caches hold ${cached} items`)
  })
}
