/**
 * A tour of the tools: it counts live fibers, takes snapshots, compares them, and exceeds the two classic thresholds.
 *
 * The steps and the counts are from the tutorial that this project is based on: fifty tasks start, twenty-five of them are cancelled,
 * and three snapshots are compared: +50 live fibers, then -25.
 */
import { NodeRuntime } from "@effect/platform-node"
import { LiveFibers, render as renderFibers } from "@fiberscope/core/LiveFibers"
import { LeakDetector } from "@fiberscope/detector/LeakDetector"
import { render as renderComparison, Snapshots } from "@fiberscope/detector/Snapshots"
import { HeapGrowthRatio, LiveFiberThreshold } from "@fiberscope/detector/Thresholds"
import { Console, Effect, Fiber, Layer } from "effect"
import type { Duration } from "effect"
import { paceOfProcess } from "../pace.ts"

const task = Effect.fn("task")(function*() {
  yield* Effect.sleep("100 seconds")
})

const tour = Effect.fn("tour")(function*(seconds: number) {
  const fibers = yield* LiveFibers
  const snapshots = yield* Snapshots
  const detector = yield* LeakDetector

  yield* snapshots.take("start")
  const before = yield* fibers.count
  const tasks = yield* Effect.forEach(
    Array.from({ length: 50 }),
    () => Effect.forkChild(task(), { startImmediately: true })
  )
  yield* Console.log(`live fibers: +${(yield* fibers.count) - before}`)
  yield* snapshots.take("after_creating_tasks")

  yield* Fiber.interruptAll(tasks.slice(0, 25))
  yield* Console.log(`live fibers: +${(yield* fibers.count) - before}\n`)
  yield* snapshots.take("after_partial_cleanup")

  yield* Console.log(renderComparison(yield* snapshots.compare("start", "after_creating_tasks")))
  yield* Console.log("")
  yield* Console.log(renderComparison(yield* snapshots.compare("after_creating_tasks", "after_partial_cleanup")))
  yield* Console.log(`\n${renderFibers(yield* fibers.dump, { base: process.cwd() })}\n`)

  yield* Effect.sleep(`${seconds} seconds`)
  const { because, findings } = yield* detector.diagnosis
  for (const { kind, summary } of findings) yield* Console.log(`note, ${kind}: ${summary}`)
  yield* Console.log(`verdict: ${because}`)
  yield* Fiber.interruptAll(tasks)
})

// The thresholds of the tutorial give notes, not verdicts: 100 live tasks (20 here, so that a note appears), and a heap that grew by half.
const tools = (interval: Duration.Input) =>
  Layer.mergeAll(
    LiveFibers.layer(),
    Snapshots.layer(),
    LeakDetector.layer({ interval, rules: [LiveFiberThreshold(20), HeapGrowthRatio(1.5)] })
  )

// The tutorial takes three seconds, so this is the default here.
const pace = paceOfProcess({ seconds: 3, fastSeconds: 1 })
if (pace !== undefined) {
  tour(pace.seconds).pipe(Effect.provide(tools(pace.fast ? "100 millis" : "500 millis")), NodeRuntime.runMain)
}
