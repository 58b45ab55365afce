/**
 * FIXED: a session owns its workers, a bounded mailbox, and a batch that is written before the session ends.
 *
 * The change: the workers are tasks of a manager in the scope of the session. They receive from a mailbox, and the session waits until
 * the mailbox has no unprocessed items. A worker keeps nothing: it passes its item to a batch worker, which writes ten at a time, and
 * the rest at its end. The scope closes in reverse order, so an interrupted session stops its workers first and writes last.
 */
import * as BatchWorker from "@fiberscope/core/BatchWorker"
import * as Mailbox from "@fiberscope/core/Mailbox"
import * as TaskManager from "@fiberscope/core/TaskManager"
import { Array, Effect, Layer } from "effect"
import { run } from "../run.ts"

interface Item {
  readonly id: number
  readonly payload: ReadonlyArray<number>
}

let live = 0
let cached = 0

const writeBatch = Effect.fn("writeBatch")(function*(batch: ReadonlyArray<Item>) {
  const count = batch.length
  yield* Effect.acquireRelease(Effect.sync(() => cached += count), () => Effect.sync(() => cached -= count))
  yield* Effect.sleep("10 millis")
}, Effect.scoped)

const worker = Effect.fn("worker")(function*(items: Mailbox.Mailbox<Item>, batches: BatchWorker.BatchWorker<Item>) {
  yield* Effect.acquireRelease(Effect.sync(() => live++), () => Effect.sync(() => live--))
  yield* items.run(batches.offer)
}, Effect.scoped)

export const session = Effect.fn("session")(function*() {
  const batches = yield* BatchWorker.make<Item>({
    name: "session",
    maxSize: 10,
    concurrency: 10,
    flush: writeBatch,
    onGiveUp: (items) => Effect.logError(`${items.length} items were not written`)
  })
  const items = yield* Mailbox.make<Item>({ name: "session", capacity: 100, onDrop: () => {} })
  const tasks = yield* TaskManager.make({ name: "session", maxRunning: 10 })
  yield* Effect.forEach(Array.range(1, 10), (n) => tasks.spawn(`worker ${n}`, worker(items, batches)))
  yield* Effect.forEach(Array.range(1, 100), (id) => items.send({ id, payload: Array.makeBy(100, (n) => id + n) }))
  yield* items.awaitDrained
}, Effect.scoped)

/** The number of live workers and kept items; 0 between sessions. */
export const left = (): number => live + cached

if (import.meta.main) {
  run({
    pattern: "uncancelled-workers",
    variant: "fixed",
    work: session(),
    called: "session",
    perSecond: 5,
    first: 1,
    services: Layer.empty,
    state: Effect.sync(() => `${live} workers are live, and their caches hold ${cached} items`)
  })
}
