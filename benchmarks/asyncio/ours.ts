/** The same programs with Effect, `LiveFibers`, `Snapshots` and `TaskManager`. Each runs in its own process. */
import { Deferred, Effect, Fiber, Layer, ManagedRuntime } from "effect"
import { execFile } from "node:child_process"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Census from "../../packages/core/src/FiberCensus.ts"
import { LiveFibers } from "../../packages/core/src/LiveFibers.ts"
import * as TaskManager from "../../packages/core/src/TaskManager.ts"
import { render, Snapshots } from "../../packages/detector/src/Snapshots.ts"
import type { Prepare } from "../harness.ts"
import { collectGarbage, cpuTime } from "../harness.ts"

/** Milliseconds of processor time, and bytes per task, by the name of the number. */
export type Numbers = Readonly<Record<string, number>>

const layers = {
  untracked: Layer.empty,
  LiveFibers: LiveFibers.layer(),
  Snapshots: Snapshots.layer()
}

/** Spawns tasks that are suspended once, and waits for them. Answers nanoseconds of processor time per task. */
export const spawning = (count: number, way: keyof typeof layers): Prepare => async () => {
  const runtime = ManagedRuntime.make<never, never>(layers[way] as Layer.Layer<never>)
  const program = Effect.gen(function*() {
    const fibers = []
    for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkChild(Effect.yieldNow))
    yield* Fiber.awaitAll(fibers)
  })
  await runtime.runPromise(program)
  // If the census saw no fiber, the comparison would look too good.
  if (way !== "untracked" && Census.get().counts().started < count) throw new Error("the census saw no fiber")
  // A single repetition is too short for a turn.
  const times = 4
  return async () => {
    const start = cpuTime()
    for (let i = 0; i < times; i++) await runtime.runPromise(program)
    return (cpuTime() - start) * 1e6 / (count * times)
  }
}

const task = Effect.fn("task")(function*() {
  yield* Effect.sleep("1000 seconds")
})

const forkTasks = (count: number) =>
  Effect.gen(function*() {
    const fibers: Array<Fiber.Fiber<void>> = []
    for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkChild(task()))
    // All tasks have begun to sleep.
    yield* Effect.yieldNow
    return fibers
  })

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = cpuTime()
    const result = yield* effect
    return [cpuTime() - start, result] as const
  })

const heapNow = Effect.promise(async () => {
  await collectGarbage()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
})

const residentNow = Effect.sync(() => process.memoryUsage.rss())

const plain = Effect.fnUntraced(function*(count: number) {
  yield* Fiber.interruptAll(yield* forkTasks(100))
  const heapBefore = yield* heapNow
  const residentBefore = yield* residentNow
  const tasks = yield* forkTasks(count)
  const resident = (yield* residentNow) - residentBefore
  const heap = (yield* heapNow) - heapBefore
  const [cancel] = yield* timed(Fiber.interruptAll(tasks))
  return { resident: resident / count, heap: heap / count, cancel }
})

const tracked = Effect.fnUntraced(
  function*(count: number) {
    const fibers = yield* LiveFibers
    const snapshots = yield* Snapshots
    yield* Fiber.interruptAll(yield* forkTasks(100))
    yield* snapshots.take("start")
    const liveBefore = yield* fibers.count
    const residentBefore = yield* residentNow
    const tasks = yield* forkTasks(count)
    const resident = (yield* residentNow) - residentBefore
    const [list, dump] = yield* timed(fibers.dump)
    const [take] = yield* timed(snapshots.take("tasks"))
    const [compare] = yield* timed(Effect.map(snapshots.compare("start", "tasks"), (comparison) => render(comparison)))
    yield* Fiber.interruptAll(tasks)
    return { resident: resident / count, list, seen: dump.length - liveBefore, take, compare, both: take + compare }
  },
  Effect.provide(Layer.merge(LiveFibers.layer(), Snapshots.layer()))
)

const managed = Effect.fnUntraced(function*(count: number) {
  const manager = yield* TaskManager.make({ name: "benchmark", maxRunning: count })
  const begun = yield* Deferred.make<void>()
  let left = count
  const last = Effect.suspend(() => --left === 0 ? Deferred.succeed(begun, undefined) : Effect.void)
  for (let i = 0; i < count; i++) yield* manager.spawn("task", Effect.andThen(last, task()))
  yield* Deferred.await(begun)
  const [stop, { interrupted }] = yield* timed(manager.stop({ grace: 0 }))
  if (interrupted !== count) throw new Error(`${interrupted} of ${count} tasks were interrupted`)
  return { stop }
}, Effect.scoped)

const programs = { plain, tracked, managed }

export type Program = keyof typeof programs

const self = fileURLToPath(import.meta.url)

/** Runs one program in its own process. */
export const run = async (program: Program, count: number): Promise<Numbers> => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", self, program, String(count)])
  return JSON.parse(stdout) as Numbers
}

if (import.meta.main) {
  const [program, count] = process.argv.slice(2) as [Program, string]
  const numbers: Effect.Effect<Numbers, unknown> = programs[program](Number(count))
  console.log(JSON.stringify(await Effect.runPromise(numbers)))
}
