/**
 * FIXED: a task manager has the list, and a task is on it only while it runs.
 *
 * The change: one manager, a service of the whole program, spawns every task. It forgets a task as soon as it ends, lists the running
 * tasks with their start times at any time, and interrupts the remaining ones when the program ends.
 */
import { TaskManager } from "@fiberscope/core/TaskManager"
import { Array, Effect } from "effect"
import { run } from "../run.ts"

let requests = 0
let running = 0

const renderInvoice = Effect.fn("renderInvoice")(function*() {
  yield* Effect.acquireRelease(Effect.sync(() => running++), () => Effect.sync(() => running--))
  yield* Effect.sleep("20 millis")
  return Array.makeBy(128, (n) => requests++ + n)
}, Effect.scoped)

export const handleRequest = Effect.fn("handleRequest")(function*() {
  const tasks = yield* TaskManager
  const task = yield* tasks.spawn("invoice", renderInvoice())
  return yield* task.join
})

export const services = TaskManager.layer({ name: "invoices", maxRunning: 100 })

/** The number of running tasks; 0 when the requests have been answered. */
export const left = (): number => running

if (import.meta.main) {
  run({
    pattern: "global-task-list",
    variant: "fixed",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services,
    state: Effect.gen(function*() {
      const tasks = yield* TaskManager
      return `${(yield* tasks.tasks).length} tasks are listed, ${running} of them run`
    })
  })
}
