/**
 * FIXED: a task runs in the scope of the request that needs it.
 *
 * The change: the task is spawned by a task manager in the scope of the request. The scope closes when the request ends, by success,
 * failure or interruption, and interrupts the task. `Effect.forkScoped` would end it too; the manager also bounds the number of tasks,
 * reports when one of them fails, and names a task that does not stop.
 */
import * as TaskManager from "@fiberscope/core/TaskManager"
import { Array, Effect, Layer } from "effect"
import { run } from "../run.ts"

let requests = 0
let live = 0

const backgroundTask = Effect.fn("backgroundTask")(function*(data: ReadonlyArray<number>) {
  yield* Effect.acquireRelease(Effect.sync(() => live++), () => Effect.sync(() => live--))
  while (true) {
    yield* Effect.sleep("1 second")
    yield* Effect.sync(() => data.map((n) => n * 2))
  }
}, Effect.scoped)

export const handleRequest = Effect.fn("handleRequest")(function*() {
  const data = Array.makeBy(128, (n) => requests + n)
  requests++
  const tasks = yield* TaskManager.make({ name: "request", maxRunning: 10 })
  yield* tasks.spawn("background task", backgroundTask(data))
  yield* Effect.sleep("5 millis")
  return data.length
}, Effect.scoped)

/** The number of live background tasks; 0 between requests. */
export const left = (): number => live

if (import.meta.main) {
  run({
    pattern: "background-tasks",
    variant: "fixed",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services: Layer.empty,
    state: Effect.sync(() => `${live} background tasks are live`)
  })
}
