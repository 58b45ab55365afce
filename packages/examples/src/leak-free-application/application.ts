/**
 * A whole service without leaks: tasks, resources, and an orderly shutdown.
 *
 * Five tasks work for at most thirty seconds, and three keepers hold one resource each. A signal ends everything in order: first the
 * tasks, which are notified and finish; then the resources that are still open; then the process, by its deadline even if something
 * hangs. Each of these guarantees is a layer, so the service only combines them.
 */
import * as Deadline from "@fiberscope/core/Deadline"
import { GracefulShutdown, launch } from "@fiberscope/core/GracefulShutdown"
import { ResourceRegistry } from "@fiberscope/core/ResourceRegistry"
import { runMain } from "@fiberscope/core/RunMain"
import { TaskManager } from "@fiberscope/core/TaskManager"
import { Array, Console, Duration, Effect, Layer } from "effect"
import process from "node:process"
import { paceOfProcess } from "../pace.ts"

const longRunningTask = Effect.fn("longRunningTask")(
  function*(id: number, limit: Duration.Input) {
    const tasks = yield* TaskManager
    const work = Effect.forever(Effect.sleep("1 second"))
    yield* Effect.raceFirst(work, tasks.stopping).pipe(Deadline.within(limit, `task ${id}`))
    yield* Console.log(`task ${id} was notified that the service stops`)
  },
  Effect.catchTag(
    "DeadlineExceeded",
    ({ budget, label }) => Console.log(`${label} has used up its ${Duration.format(budget)}`)
  )
)

const keepResource = Effect.fn("keepResource")(function*(id: number) {
  const tasks = yield* TaskManager
  const resources = yield* ResourceRegistry
  const resource = yield* resources.register(
    `resource ${id}`,
    Effect.sync((): Array<string> => []),
    (data) => Console.log(`resource ${id} was released after ${data.length} uses`)
  )
  const use = Effect.andThen(Effect.sync(() => resource.push("used")), Effect.sleep("500 millis"))
  yield* Effect.raceFirst(Effect.forever(use), tasks.stopping)
}, Effect.scoped)

const start = Effect.fn("start")(function*(limit: Duration.Input) {
  const tasks = yield* TaskManager
  const resources = yield* ResourceRegistry
  yield* Effect.forEach(Array.range(1, 5), (id) => tasks.spawn(`task ${id}`, longRunningTask(id, limit)))
  yield* Effect.forEach(Array.range(1, 3), (id) => tasks.spawn(`keeper ${id}`, keepResource(id)))
  const running = (yield* tasks.tasks).length
  yield* Console.log(`${running} tasks are running, and ${(yield* resources.open).length} resources are open`)
})

const Foundation = Layer.mergeAll(TaskManager.layer({ name: "application", maxRunning: 8 }), ResourceRegistry.layer())

/** The service, whose long tasks work at most as long as the limit. */
export const application = (limit: Duration.Input) =>
  Layer.effectDiscard(start(limit)).pipe(Layer.provideMerge(Foundation))

const stopAfter = (seconds: number) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const shutdown = yield* GracefulShutdown
    const stop = Effect.delay(shutdown.request(`the ${seconds} seconds of this run are over`), `${seconds} seconds`)
    yield* Effect.forkScoped(stop)
  }))

const pace = import.meta.main ? paceOfProcess() : undefined
if (pace !== undefined) {
  const service = application(pace.fast ? "1 second" : "30 seconds")
  runMain(launch(Layer.merge(service, stopAfter(pace.seconds))), {
    onEnd: ({ participants, stuck }) => {
      const ended = participants.map(({ name, outcome }) => `${name} ${outcome}`).join(", ")
      process.stdout.write(`at the end: ${ended}; ${stuck.length} fibers are still running\n`)
    }
  })
}
