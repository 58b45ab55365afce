/**
 * FIXED: a task lives in the scope of the request that needs it.
 *
 * What changed: the task is spawned by a task manager that belongs to the scope of the request. The scope closes when the request
 * ends, be it by success, failure or interruption, and takes the task with it. `Effect.forkScoped` ends it just as well; the manager
 * also bounds how many there are, tells when one of them fails, and names the one that does not stop.
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

/** Background tasks that are live; none between requests. */
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
