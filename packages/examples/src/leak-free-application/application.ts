/**
 * A whole service that leaves nothing behind: what it starts, what it opens and how it ends.
 *
 * Five tasks work for thirty seconds at most, three keepers hold a resource each, and a signal ends it all in order: first the tasks,
 * which hear of it and finish; then the resources that are still open; then the process, by its deadline whatever hangs. Each of these
 * promises is a layer, so the service states them and repeats none.
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
    yield* Console.log(`task ${id} has heard that the service stops`)
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
    (data) => Console.log(`resource ${id} is released after ${data.length} uses`)
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
  yield* Console.log(`${running} tasks run, and ${(yield* resources.open).length} resources are open`)
})

const Foundation = Layer.mergeAll(TaskManager.layer({ name: "application", maxRunning: 8 }), ResourceRegistry.layer())

/** The service; its long tasks work no longer than the limit. */
export const application = (limit: Duration.Input) =>
  Layer.effectDiscard(start(limit)).pipe(Layer.provideMerge(Foundation))

const stopAfter = (seconds: number) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const shutdown = yield* GracefulShutdown
    const stop = Effect.delay(shutdown.request(`its ${seconds} seconds are over`), `${seconds} seconds`)
    yield* Effect.forkScoped(stop)
  }))

const pace = import.meta.main ? paceOfProcess() : undefined
if (pace !== undefined) {
  const service = application(pace.fast ? "1 second" : "30 seconds")
  runMain(launch(Layer.merge(service, stopAfter(pace.seconds))), {
    onEnd: ({ participants, stuck }) => {
      const ended = participants.map(({ name, outcome }) => `${name} ${outcome}`).join(", ")
      process.stdout.write(`at the end: ${ended}; ${stuck.length} fibers left\n`)
    }
  })
}
