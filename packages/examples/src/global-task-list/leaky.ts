/**
 * LEAKY: every task is added to a list, and none is removed.
 *
 * The tasks end, so fibers do not pile up. But the list keeps each of them with its result, about 1 KB for each request, although only
 * a running task could still be interrupted.
 */
import { Array, Effect, Fiber, Layer } from "effect"
import { run } from "../run.ts"

let running = 0

const tasks: Array<Fiber.Fiber<ReadonlyArray<number>>> = []

const renderInvoice = Effect.fn("renderInvoice")(function*() {
  yield* Effect.acquireRelease(Effect.sync(() => running++), () => Effect.sync(() => running--))
  yield* Effect.sleep("20 millis")
  return Array.makeBy(128, (n) => tasks.length + n)
}, Effect.scoped)

const handleRequest = Effect.fn("handleRequest")(function*() {
  const task = yield* Effect.forkChild(renderInvoice())
  tasks.push(task)
  return yield* Fiber.join(task)
})

if (import.meta.main) {
  run({
    pattern: "global-task-list",
    variant: "leaky",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services: Layer.empty,
    state: Effect.sync(() => `${tasks.length} tasks are listed, ${running} of them run`)
  })
}
