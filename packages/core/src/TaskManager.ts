/**
 * Background tasks with names: a bounded number of them, none of whose failures goes unheard, and none of which outlives its scope.
 *
 * **When to use**
 *
 * Use it for work that a request starts and does not wait for, for workers, pollers and listeners: wherever you would write
 * `Effect.forkDetach` or `runFork`.
 *
 * **Details**
 *
 * A task runs when `spawn` returns. When `maxRunning` tasks run, `spawn` waits, and with it whoever produces the work; when
 * `maxPending` fibers wait already, it fails. A failure is logged, given to the error reporters, counted and kept, at once and once.
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
import { rounded } from "./internal/rounded.ts"
import type { Gate } from "./internal/tasks/TaskSupervisor.ts"
import { TaskSupervisor } from "./internal/tasks/TaskSupervisor.ts"

/**
 * A task that was started.
 *
 * @category models
 */
export interface Task<out A, out E = never> {
  readonly id: number
  readonly label: string
  /** Waits for its end. */
  readonly await: Effect.Effect<Exit.Exit<A, E>>
  /** Waits for its result, and fails as it fails. The failure is reported all the same. */
  readonly join: Effect.Effect<A, E>
  /** Interrupts it and waits for its end. */
  readonly interrupt: Effect.Effect<void>
}

/**
 * A task that runs.
 *
 * @category models
 */
export interface TaskInfo {
  readonly id: number
  readonly label: string
  readonly age: Duration.Duration
}

/**
 * How a task failed. `time` is in milliseconds of the Unix epoch.
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
 * A task that did not end by the deadline, though it was interrupted. `site` says where it was spawned and where it is.
 *
 * @category models
 */
export interface StuckTask extends TaskInfo {
  readonly fiber: number
  readonly site: FiberSite
}

/**
 * What {@link TaskManager} `stop` did. `finished` ended by themselves within the grace, `interrupted` ended at their interruption.
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
 * How long tasks may take to end.
 *
 * @category models
 */
export interface StopOptions {
  /** How long tasks may end by themselves, before they are interrupted. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
  /** When `stop` goes on whatever happens, from its beginning. Default 10 seconds, and never later than the `Deadline` around. */
  readonly deadline?: Duration.Input | undefined
}

/**
 * The limits of a task manager.
 *
 * @category models
 */
export interface TaskManagerOptions {
  /** In errors and logs, and the attribute `name` of the metrics. */
  readonly name: string
  /** The most tasks that run at a time. */
  readonly maxRunning: number
  /** The most fibers that may wait in `spawn`. Default 1024. */
  readonly maxPending?: number | undefined
  /** What a failure does besides being counted and kept: it is reported (default), ends all other tasks too, or nothing. */
  readonly onFailure?: "report" | "failFast" | "ignore" | undefined
  /** Starts tasks that fail anew, as long as the schedule says. Each failed attempt is reported. */
  readonly restart?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** How many of the last failures are kept. Default 64. */
  readonly keepFailures?: number | undefined
  /** How long tasks may end by themselves when the scope closes. Default 0, and 5 seconds in the phase `work` of a shutdown. */
  readonly closeGrace?: Duration.Input | undefined
  /** How long the scope waits for its tasks at most; what is still alive then is named in the log. Default 10 seconds. */
  readonly closeDeadline?: Duration.Input | undefined
}

/**
 * The manager was closed or stopped: spawn nothing more.
 *
 * @category errors
 */
export class TaskManagerClosed extends Data.TaggedError("TaskManagerClosed")<{
  readonly name: string
  readonly label: string
}> {
  override get message(): string {
    return `"${this.label}" was not started: the task manager "${this.name}" takes no more tasks`
  }
}

/**
 * Too many fibers wait for a place already. Shed the load, or raise `maxPending`.
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
    return `"${this.label}" was not started: in the task manager "${this.name}" ${this.running} tasks run and ${this.pending} wait. `
      + "Shed the load, or raise maxPending"
  }
}

/**
 * A task ended without a failure, and without having said that it is ready.
 *
 * @category errors
 */
export class TaskNotReady extends Data.TaggedError("TaskNotReady")<{ readonly label: string }> {
  override get message(): string {
    return `"${this.label}" ended before it was ready. Run the effect that spawnReady hands to the task`
  }
}

/**
 * Options of one task.
 *
 * @category models
 */
export interface SpawnOptions {
  /** Instead of the manager's. */
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
   * Starts a task, as soon as there is a place: in the context of the caller, up to its first asynchronous operation. A caller that
   * is interrupted while it waits has started nothing.
   */
  readonly spawn: <A, E, R>(
    label: string,
    effect: Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Task<A, E>, TaskManagerClosed | TaskRejected, R>
  /** Starts a task if there is a place, before nobody who waits for one. Never waits. */
  readonly trySpawn: <A, E, R>(
    label: string,
    effect: Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Option.Option<Task<A, E>>, TaskManagerClosed, R>
  /**
   * Starts a task, and returns when it has run `ready`. A failure before that is the caller's, and the caller's interruption the
   * task's.
   */
  readonly spawnReady: <A, E, R>(
    label: string,
    effect: (ready: Effect.Effect<void>) => Effect.Effect<A, E, R>,
    options?: SpawnOptions
  ) => Effect.Effect<Task<A, E>, E | TaskNotReady | TaskManagerClosed | TaskRejected, R>
  /** Waits until no task runs and none waits for a place. Cancels nothing. In a task, it waits for the others. */
  readonly awaitIdle: Effect.Effect<void>
  /** Takes no more tasks. What runs goes on; who waits for a place is refused. */
  readonly close: Effect.Effect<void>
  /** Closes, lets `stopping` happen, gives tasks their grace, interrupts the rest, and goes on at the deadline. */
  readonly stop: (options?: StopOptions) => Effect.Effect<StopReport>
  /** Waits until the manager is being stopped: for tasks that end by themselves when they are told. */
  readonly stopping: Effect.Effect<void>
  /** What runs, oldest first. */
  readonly tasks: Effect.Effect<ReadonlyArray<TaskInfo>>
  /** The last failures, oldest first. */
  readonly failures: Effect.Effect<ReadonlyArray<TaskFailure>>
}>()("@fiberscope/core/TaskManager") {
  static layer(options: TaskManagerOptions): Layer.Layer<TaskManager> {
    return Layer.effect(TaskManager, make(options))
  }

  /** The schedule of `restart` is no matter of configuration: it is given beside it. */
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
          const began = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
          const elapsed = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6 - began
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
          const sites = sitesOf(left.map(({ fiber, forked }) => ({ fiber: fiber!, forked })))
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
            `Task "${label}" of "${name}" is stuck: interrupted, and still running after ${rounded(age)} `
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
