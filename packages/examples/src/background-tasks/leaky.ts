/**
 * LEAKY: every request starts a task that is never stopped.
 *
 * `handleRequest` detaches `backgroundTask` and answers. From then on no parent, no scope and no variable refers to that fiber; only the
 * timer of its sleep does. It keeps its data until the process ends: one fiber and about 1 KB for each request.
 */
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

const handleRequest = Effect.fn("handleRequest")(function*() {
  const data = Array.makeBy(128, (n) => requests + n)
  requests++
  yield* Effect.forkDetach(backgroundTask(data), { startImmediately: true })
  yield* Effect.sleep("5 millis")
  return data.length
})

if (import.meta.main) {
  run({
    pattern: "background-tasks",
    variant: "leaky",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services: Layer.empty,
    state: Effect.sync(() => `${live} background tasks are live`)
  })
}
