/** The cost of background tasks: starting them, observing their end, and their memory while they wait. */
import { Deferred, Effect, FiberSet } from "effect"
import { run as runEffection, scoped as effectionScoped, sleep, spawn } from "effection"
import PQueue from "p-queue"
import * as TaskManager from "../../packages/core/src/TaskManager.ts"
import type { Comparison, Measurement, Prepare, Repetition } from "../harness.ts"
import { collectGarbage, cpuTime } from "../harness.ts"
import { asyncioMemory, asyncioTasks, whyNoPython } from "./python.ts"

/** Nanoseconds of processor time for each of `count` tasks. */
const timed = (count: number, run: () => Promise<unknown>): Repetition => async () => {
  const start = cpuTime()
  await run()
  return (cpuTime() - start) * 1e6 / count
}

/** The rejection is handled once, around all tasks: its place is the caller's choice and not a cost of the start. */
type Spawn = (
  task: Effect.Effect<void>
) => Effect.Effect<unknown, TaskManager.TaskManagerClosed | TaskManager.TaskRejected>

/** Starts `count` tasks, a hundred at a time, and waits until all have ended. */
const spawning =
  (count: number, task: Effect.Effect<void>, make: Effect.Effect<Spawn, never, import("effect").Scope.Scope>) => () =>
    timed(count, () =>
      Effect.runPromise(Effect.orDie(Effect.scoped(Effect.gen(function*() {
        const spawnTask = yield* make
        let left = count
        const done = yield* Deferred.make<void>()
        const counted = Effect.andThen(
          task,
          Effect.suspend(() => --left === 0 ? Deferred.succeed(done, undefined) : Effect.void)
        )
        const body = Effect.asVoid(counted)
        for (let i = 0; i < count; i++) {
          yield* spawnTask(body)
          if (i % 100 === 99) yield* Effect.yieldNow
        }
        yield* Deferred.await(done)
      })))))

const forkIn = Effect.map(Effect.scope, (scope): Spawn => (task) => Effect.forkIn(task, scope))
const forkInAtOnce = Effect.map(
  Effect.scope,
  (scope): Spawn => (task) => Effect.forkIn(task, scope, { startImmediately: true })
)
const fiberSet = Effect.map(FiberSet.make(), (set): Spawn => (task) => FiberSet.run(set, task))
const manager = Effect.map(
  TaskManager.make({ name: "benchmark", maxRunning: Infinity }),
  (tasks): Spawn => (task) => tasks.spawn("task", task)
)

const kinds: Readonly<Record<string, Effect.Effect<void>>> = {
  "ends at once": Effect.void,
  "is suspended once": Effect.yieldNow
}

const count = 10_000

const against = (baseline: string, make: typeof forkIn, most: number | undefined): ReadonlyArray<Comparison> =>
  Object.entries(kinds).map(([kind, task]) => ({
    name: `spawn + finish, a task that ${kind}, against ${baseline}`,
    unit: "ns/task",
    variants: { [baseline]: spawning(count, task, make), TaskManager: spawning(count, task, manager) },
    ...most === undefined ? {} : { goals: { TaskManager: most } },
    precision: 0.02,
    limitMs: 25_000
  }))

const pQueue: Prepare = () => {
  const queue = new PQueue({ concurrency: 100_000 })
  return timed(count, async () => {
    for (let i = 0; i < count; i++) void queue.add(() => new Promise<void>((resolve) => setImmediate(resolve)))
    await queue.onIdle()
  })
}

const effection: Prepare = () =>
  timed(count, () =>
    runEffection(() =>
      effectionScoped(function*() {
        const tasks = []
        for (let i = 0; i < count; i++) tasks.push(yield* spawn(() => sleep(0)))
        for (const task of tasks) yield* task
      })
    ))

const noPython = whyNoPython()

export const tasks: ReadonlyArray<Comparison> = [
  // The goal of 0.85 times the rate is 1 / 0.85 times the time.
  ...against("Effect.forkIn", forkIn, 1 / 0.85),
  ...against("Effect.forkIn at once", forkInAtOnce, undefined),
  ...against("FiberSet.run", fiberSet, 1),
  {
    name: "a task that is suspended once, beside others",
    unit: "ns/task",
    variants: {
      TaskManager: spawning(count, Effect.yieldNow, manager),
      "p-queue": pQueue,
      Effection: effection,
      ...noPython === undefined ? { "asyncio TaskGroup": asyncioTasks } : {}
    },
    precision: 0.05,
    limitMs: 40_000
  }
]

const waiting = 100_000

/** Heap bytes per waiting task. */
const heapOf = async (make: Effect.Effect<Spawn, never, import("effect").Scope.Scope>): Promise<number> => {
  const used = async () => {
    await collectGarbage()
    const { external, heapUsed } = process.memoryUsage()
    return heapUsed + external
  }
  return Effect.runPromise(Effect.orDie(Effect.scoped(Effect.gen(function*() {
    const spawnTask = yield* make
    for (let i = 0; i < 1000; i++) yield* spawnTask(Effect.never)
    const before = yield* Effect.promise(used)
    for (let i = 0; i < waiting; i++) yield* spawnTask(Effect.never)
    return ((yield* Effect.promise(used)) - before) / waiting
  }))))
}

export const memory: Measurement = {
  name: "memory of 100 000 tasks that wait",
  numbers: {
    "TaskManager, heap": { unit: "bytes/task" },
    "FiberSet, heap": { unit: "bytes/task" },
    "forkIn, heap": { unit: "bytes/task" },
    ...noPython === undefined
      ? {
        "asyncio, resident": { unit: "bytes/task" },
        "asyncio under tracemalloc, resident": { unit: "bytes/task" }
      }
      : {}
  },
  processes: 3,
  flags: ["--expose-gc"],
  take: async () => ({
    "TaskManager, heap": await heapOf(manager),
    "FiberSet, heap": await heapOf(fiberSet),
    "forkIn, heap": await heapOf(forkIn),
    ...noPython === undefined
      ? {
        "asyncio, resident": asyncioMemory(waiting, false),
        "asyncio under tracemalloc, resident": asyncioMemory(waiting, true)
      }
      : {}
  })
}
