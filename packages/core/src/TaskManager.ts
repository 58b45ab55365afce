/**
 * Background tasks with names: their number is bounded, every failure is reported, and none of them outlives its scope.
 *
 * **When to use**
 *
 * Use it for work that a request starts and does not wait for, and for workers, pollers and listeners: in place of
 * `Effect.forkDetach` or `runFork`.
 *
 * **Details**
 *
 * A task is running when `spawn` returns. When `maxRunning` tasks are running, `spawn` waits, which slows down the producer of
 * the work; when `maxPending` fibers are already waiting, it fails. A failure is logged, given to the error reporters, counted
 * and kept, immediately and only once.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { takePart } from "./GracefulShutdown.ts"
import { sitesOf } from "./internal/fibers/sitesOf.ts"
import { instrument } from "./internal/instruments.ts"
import { monotonic } from "./internal/monotonic.ts"
import { rounded } from "./internal/rounded.ts"
import type { Gate } from "./internal/tasks/TaskSupervisor.ts"
import { TaskSupervisor } from "./internal/tasks/TaskSupervisor.ts"

/**
 * A started task.
 *
 * @category models
 */
export interface Task<out A, out E = never> {
  readonly id: number
  readonly label: string
  /** Waits for its end. */
  readonly await: Effect.Effect<Exit.Exit<A, E>>
  /** Waits for its result, and fails as it fails. The failure is reported as well. */
  readonly join: Effect.Effect<A, E>
  /** Interrupts it and waits for its end. */
  readonly interrupt: Effect.Effect<void>
}

/**
 * A running task.
 *
 * @category models
 */
export interface TaskInfo {
  readonly id: number
  readonly label: string
  readonly age: Duration.Duration
}

/**
 * A failure of a task. `time` is in milliseconds of the Unix epoch.
 *
 * @category models
 */
export interface TaskFailure {
  readonly task: number
  readonly label: string
  readonly cause: Cause.Cause<unknown>
  readonly time: number
}

/**
 * A task that was interrupted and did not end by the deadline. `site` is where it was spawned and where it is now.
 *
 * @category models
 */
export interface StuckTask extends TaskInfo {
  readonly fiber: number
  readonly site: FiberSite
}

/**
 * The result of {@link TaskManager} `stop`. `finished` tasks ended on their own within the grace, `interrupted` tasks ended when
 * interrupted.
 *
 * @category models
 */
export interface StopReport {
  readonly finished: number
  readonly interrupted: number
  readonly stuck: ReadonlyArray<StuckTask>
  readonly elapsed: Duration.Duration
}

/**
 * The time limits for ending tasks.
 *
 * @category models
 */
export interface StopOptions {
  /** The time in which tasks may end on their own, before they are interrupted. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
  /** The time limit of `stop`, from its start. Default 10 seconds, and never later than the enclosing `Deadline`. */
  readonly deadline?: Duration.Input | undefined
}

/**
 * The limits of a task manager.
 *
 * @category models
 */
export interface TaskManagerOptions {
  /** The name in errors and logs, and the attribute `name` of the metrics. */
  readonly name: string
  /** The maximum number of running tasks. */
  readonly maxRunning: number
  /** The maximum number of fibers that wait in `spawn`. Default 1024. */
  readonly maxPending?: number | undefined
  /** The reaction to a failure, which is always counted and kept: report it (default), also end all other tasks, or nothing more. */
  readonly onFailure?: "report" | "failFast" | "ignore" | undefined
  /** Restarts failed tasks according to the schedule. Each failed attempt is reported. */
  readonly restart?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** The number of recent failures that are kept. Default 64. */
  readonly keepFailures?: number | undefined
  /** The time in which tasks may end on their own when the scope closes. Default 0, and 5 seconds in the phase `work` of a shutdown. */
  readonly closeGrace?: Duration.Input | undefined
  /** The maximum time that the scope waits for its tasks; tasks that are still alive then are named in the log. Default 10 seconds. */
  readonly closeDeadline?: Duration.Input | undefined
}

/**
 * The manager was closed or stopped: it accepts no more tasks.
 *
 * @category errors
 */
export class TaskManagerClosed extends Data.TaggedError("TaskManagerClosed")<{
  readonly name: string
  readonly label: string
}> {
  override get message(): string {
    return `"${this.label}" was not started: the task manager "${this.name}" accepts no more tasks`
  }
}

/**
 * Too many fibers are already waiting for a place. Shed the load, or raise `maxPending`.
 *
 * @category errors
 */
export class TaskRejected extends Data.TaggedError("TaskRejected")<{
  readonly name: string
  readonly label: string
  readonly running: number
  readonly pending: number
}> {
  override get message(): string {
    return `"${this.label}" was not started: the task manager "${this.name}" has ${this.running} running tasks and ${this.pending} waiting. `
      + "Shed the load, or raise maxPending"
  }
}

/**
 * A task ended without a failure before it signalled that it is ready.
 *
 * @category errors
 */
export class TaskNotReady extends Data.TaggedError("TaskNotReady")<{ readonly label: string }> {
  override get message(): string {
    return `"${this.label}" ended before it was ready. Run the effect that spawnReady passes to the task`
  }
}

/**
 * Options of one task.
 *
 * @category models
 */
export interface SpawnOptions {
  /** Overrides the `restart` of the manager. */
  readonly restart?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
}

/**
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TaskManager } from "@fiberscope/core/TaskManager"
 *
 * const program = Effect.gen(function*() {
 *   const tasks = yield* TaskManager
 *   yield* tasks.spawn("poll", Effect.forever(Effect.sleep("10 millis")))
 *   const mail = yield* tasks.spawn("mail", Effect.sleep("20 millis"))
 *   yield* mail.join
 *   console.log((yield* tasks.tasks).map(({ label }) => label)) // ["poll"]
 *   const report = yield* tasks.stop({ grace: 0 })
 *   console.log(report.interrupted, report.stuck) // 1 []
 * })
 *
 * Effect.runFork(Effect.provide(program, TaskManager.layer({ name: "example", maxRunning: 10 })))
 * ```
 *
 * @category services
 */
export class TaskManager extends Context.Service<TaskManager, {
  /**
   * Starts a task as soon as there is a place: in the context of the caller, up to its first asynchronous operation. A caller
   * that is interrupted while it waits has started nothing.
   */
  readonly spawn: <A, E, R>(
    label: string,
    effect: Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Task<A, E>, TaskManagerClosed | TaskRejected, R>
  /** Starts a task if there is a place and no fiber is waiting for one. Never waits. */
  readonly trySpawn: <A, E, R>(
    label: string,
    effect: Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Option.Option<Task<A, E>>, TaskManagerClosed, R>
  /**
   * Starts a task, and returns when the task has run `ready`. A failure before that is the caller's, and an interruption of the
   * caller interrupts the task.
   */
  readonly spawnReady: <A, E, R>(
    label: string,
    effect: (ready: Effect.Effect<void>) => Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Task<A, E>, E | TaskNotReady | TaskManagerClosed | TaskRejected, R>
  /** Waits until no task is running and no fiber is waiting for a place. Cancels nothing. Inside a task, it waits for the others. */
  readonly awaitIdle: Effect.Effect<void>
  /** Accepts no more tasks. Running tasks continue; waiting fibers are refused. */
  readonly close: Effect.Effect<void>
  /** Closes, completes `stopping`, gives tasks their grace, interrupts the remaining ones, and ends at the deadline. */
  readonly stop: (options?: StopOptions) => Effect.Effect<StopReport>
  /** Waits until the manager is being stopped: for tasks that end on their own when notified. */
  readonly stopping: Effect.Effect<void>
  /** The running tasks, oldest first. */
  readonly tasks: Effect.Effect<ReadonlyArray<TaskInfo>>
  /** The last failures, oldest first. */
  readonly failures: Effect.Effect<ReadonlyArray<TaskFailure>>
}>()("@fiberscope/core/TaskManager") {
  static layer(options: TaskManagerOptions): Layer.Layer<TaskManager> {
    return Layer.effect(TaskManager, make(options))
  }

  /** The schedule of `restart` cannot come from Config and is passed separately. */
  static layerConfig(
    config: Config.Wrap<Omit<TaskManagerOptions, "restart">>,
    options?: Pick<TaskManagerOptions, "restart">
  ): Layer.Layer<TaskManager, Config.ConfigError> {
    return Layer.effect(
      TaskManager,
      Effect.flatMap(Config.unwrap(config), (configured) => make({ ...configured, ...options }))
    )
  }
}

/**
 * Makes a manager whose tasks end with the scope.
 *
 * @category constructors
 */
export const make = (options: TaskManagerOptions): Effect.Effect<TaskManager["Service"], never, Scope.Scope> =>
  Effect.withFiber((maker) => {
    const { name } = options
    const supervisor = new TaskSupervisor(
      {
        name,
        maxRunning: options.maxRunning,
        maxPending: options.maxPending ?? 1024,
        onFailure: options.onFailure ?? "report",
        keepFailures: options.keepFailures ?? 64
      },
      maker
    )
    if (!(options.maxRunning >= 1)) {
      return Effect.die(
        new RangeError(`maxRunning of the task manager "${name}" must be at least 1: ${options.maxRunning}`)
      )
    }
    const { counts, line, suspended } = supervisor
    const withRestart = (own: SpawnOptions | undefined): SpawnOptions | undefined =>
      own?.restart === undefined && options.restart !== undefined ? { restart: options.restart } : own

    const closed = (label: string) => Effect.fail(new TaskManagerClosed({ name, label }))

    const spawnWith = <A, E, R>(
      label: string,
      effect: Effect.Effect<A, E, R>,
      spawning: (SpawnOptions & { readonly gate?: Gate }) | undefined
    ) =>
      Effect.withFiber<Task<A, E>, TaskManagerClosed | TaskRejected, R>((parent) => {
        if (supervisor.closed) return closed(label)
        if (supervisor.hasRoom) return Effect.succeed(supervisor.start(parent, label, effect, spawning))
        if (line.size >= supervisor.options.maxPending) {
          counts.rejected++
          return Effect.fail(new TaskRejected({ name, label, running: supervisor.running, pending: line.size }))
        }
        return Effect.onExitPrimitive(
          line.wait((): Effect.Effect<Task<A, E>, TaskManagerClosed> =>
            supervisor.closed ? closed(label) : Effect.succeed(supervisor.start(parent, label, effect, spawning))
          ),
          () => {
            supervisor.notice()
            return undefined
          }
        )
      })

    const spawn: TaskManager["Service"]["spawn"] = (label, effect, own) => spawnWith(label, effect, withRestart(own))

    const trySpawn = <A, E, R>(label: string, effect: Effect.Effect<A, E, R>, own?: SpawnOptions) =>
      Effect.withFiber<Option.Option<Task<A, E>>, TaskManagerClosed, R>((parent) =>
        supervisor.closed
          ? closed(label)
          : Effect.succeed(
            supervisor.hasRoom ? Option.some(supervisor.start(parent, label, effect, withRestart(own))) : Option.none()
          )
      )

    const spawnReady = <A, E, R>(
      label: string,
      effect: (ready: Effect.Effect<void>) => Effect.Effect<A, E, R>,
      own?: SpawnOptions
    ) =>
      Effect.suspend(() => {
        const gate: Gate = { task: undefined, ready: false, watched: true, resume: undefined }
        const ready = Effect.sync(() => {
          gate.ready = true
          gate.resume?.()
        })
        const waitFor = (task: Task<A, E>) =>
          Effect.callback<Task<A, E>, E | TaskNotReady>((resume) => {
            gate.resume = () => {
              const exit = gate.task?.fiber?.pollUnsafe() as Exit.Exit<A, E> | undefined
              if (gate.ready) resume(Effect.succeed(task))
              else if (exit !== undefined) {
                resume(Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.fail(new TaskNotReady({ label })))
              }
            }
            gate.resume()
          })
        return Effect.onExitPrimitive(
          Effect.flatMap(spawnWith(label, effect(ready), { ...withRestart(own), gate }), waitFor),
          () => {
            gate.resume = undefined
            gate.watched = false
            const fiber = gate.task?.fiber
            return gate.ready || fiber === undefined ? undefined : Fiber.interrupt(fiber)
          }
        )
      })

    const close = Effect.sync(() => supervisor.close())

    const stop = (how?: StopOptions) =>
      Effect.withFiber((self) =>
        Effect.gen(function*() {
          const clock = yield* Clock.Clock
          const now = monotonic(clock)
          const began = now()
          const elapsed = () => now() - began
          const deadline = Math.min(
            Duration.toMillis(how?.deadline ?? "10 seconds"),
            Duration.toMillis(yield* Deadline.remaining)
          )
          const grace = Math.min(Duration.toMillis(how?.grace ?? "5 seconds"), deadline)
          const quietWithin = (ms: number) =>
            Effect.raceFirst(supervisor.awaitQuiet(self), Effect.sleep(Duration.millis(Math.max(ms, 0))))
          supervisor.close()
          supervisor.stopping.openUnsafe()
          const before = supervisor.running
          if (grace > 0) yield* quietWithin(grace)
          const interrupted = supervisor.interruptAll(self)
          yield* quietWithin(deadline - elapsed())
          const left = suspended.toArray().filter(({ fiber }) => fiber !== self)
          const sites = sitesOf(left.map(({ capturedAt, fiber }) => ({ fiber: fiber!, capturedAt })))
          const time = clock.currentTimeMillisUnsafe()
          const stuck = left.map((task, i): StuckTask => {
            task.become("stuck", true)
            const { fiber, id, label, start } = task
            return { id, label, age: Duration.millis(time - start), fiber: fiber!.id, site: sites[i]! }
          })
          return {
            finished: before - interrupted,
            interrupted: interrupted - stuck.length,
            stuck,
            elapsed: Duration.millis(elapsed())
          }
        })
      )

    const tasks = Effect.withFiberSucceed((fiber): ReadonlyArray<TaskInfo> => {
      const time = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      return suspended.toArray().map(({ id, label, start }) => ({ id, label, age: Duration.millis(time - start) }))
    })

    const finalizer = Effect.flatMap(
      Deadline.unbounded(stop({ grace: options.closeGrace ?? 0, deadline: options.closeDeadline ?? "10 seconds" })),
      ({ stuck }) =>
        Effect.forEach(stuck, ({ age, label, site }) =>
          Effect.logError(
            `Task "${label}" of "${name}" is stuck: it was interrupted and is still running after ${rounded(age)} `
              + `(${renderSite(site)})`
          ))
    )

    return Effect.as(
      Effect.andThen(
        instrument({
          module: "taskmanager",
          name,
          gauges: {
            running: () => supervisor.running,
            pending: () => line.size,
            stuck: () => suspended.toArray().filter(({ special }) => special?.stuck === true).length
          },
          counters: {
            spawned: () => counts.spawned,
            failed: () => counts.failed,
            interrupted: () => counts.interrupted,
            rejected: () => counts.rejected,
            restarted: () => counts.restarted
          }
        }),
        Effect.andThen(
          Effect.addFinalizer(() => Effect.asVoid(finalizer)),
          takePart(
            `tasks of ${name}`,
            Effect.flatMap(Deadline.remaining, (left) => {
              const half = Duration.toMillis(left) / 2
              const grace = Math.min(half, Duration.toMillis(options.closeGrace ?? "5 seconds"))
              return stop({ grace, deadline: left })
            })
          )
        )
      ),
      TaskManager.of({
        spawn,
        trySpawn,
        spawnReady,
        awaitIdle: Effect.withFiber((self) => supervisor.awaitQuiet(self)),
        close,
        stop,
        stopping: supervisor.stopping.await,
        tasks,
        failures: Effect.sync(() => [...supervisor.failures])
      })
    )
  })
