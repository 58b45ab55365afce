/**
 * Events are collected and written in large batches, about seven of them in a run. Healthy: memory climbs and falls.
 */
import { Effect, Queue, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Event {
  readonly id: number
  readonly attributes: Readonly<Record<string, number>>
}

const names = Array.from({ length: 30 }, (_, n) => `attribute-${n}`)

const makeEvent = (id: number): Event => ({
  id,
  attributes: Object.fromEntries(names.map((name) => [name, Math.random()]))
})

const writeBatch = Effect.fn("writeBatch")(function*(queue: Queue.Queue<Event>) {
  const events = yield* Queue.clear(queue)
  yield* Effect.sleep("50 millis")
  return JSON.stringify(events).length
})

const program = Effect.gen(function*() {
  const queue = yield* Queue.unbounded<Event>()
  yield* writeBatch(queue).pipe(Effect.schedule(Schedule.spaced(part(1 / 7))), Effect.forkChild)
  for (let id = 1;; id++) {
    yield* Queue.offer(queue, makeEvent(id))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(program)
