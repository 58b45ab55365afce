/** The state behind a TaskManager: running tasks, fibers that wait for a place, and failures. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Schedule from "effect/Schedule"
import { Condition } from "../Condition.ts"
import { WaitQueue } from "../queues/WaitQueue.ts"
import { reportFailure, runDetached } from "../reportFailure.ts"

/** A fiber that waits for a task to be ready, and that receives its failure until then. */
export interface Gate {
  task: RunningTask<unknown, unknown> | undefined
  ready: boolean
  /** Whether the fiber still waits. */
  watched: boolean
  resume: (() => void) | undefined
}

export interface SpawnOptions {
  readonly restart?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  readonly gate?: Gate | undefined
}

export interface Failure {
  readonly label: string
  readonly task: number
  readonly cause: Cause.Cause<unknown>
  /** Milliseconds of the Unix epoch. */
  readonly time: number
}

export interface SupervisorOptions {
  readonly name: string
  readonly maxRunning: number
  readonly maxPending: number
  readonly onFailure: "report" | "failFast" | "ignore"
  readonly keepFailures: number
}

/** Fields that only few tasks need. */
interface Special {
  readonly gate: Gate | undefined
  /** Whether its failure was reported already, by the attempt that failed. */
  reported: boolean
  stuck: boolean
}

/**
 * A started task. There may be hundreds of thousands of them: the methods of the handle are on the prototype, and tasks are
 * linked in a list, which costs less memory than an entry in a set.
 */
export class RunningTask<A, E> {
  readonly id: number
  readonly label: string
  /** Absent during the first, synchronous part of its run. */
  fiber: Fiber.Fiber<A, E> | undefined
  /** The cache of the spawning fiber, for the site. */
  readonly capturedAt: Fiber.Fiber.Cache
  /** The time of its first suspension, in milliseconds of the Unix epoch. */
  start = 0
  special: Special | undefined
  previous: RunningTask<unknown, unknown> | undefined = undefined
  next: RunningTask<unknown, unknown> | undefined = undefined

  constructor(id: number, label: string, capturedAt: Fiber.Fiber.Cache, gate: Gate | undefined) {
    this.id = id
    this.label = label
    this.fiber = undefined
    this.capturedAt = capturedAt
    this.special = gate === undefined ? undefined : { gate, reported: false, stuck: false }
  }

  become(what: "reported" | "stuck", is: boolean): void {
    this.special ??= { gate: undefined, reported: false, stuck: false }
    this.special[what] = is
  }

  get await(): Effect.Effect<Exit.Exit<A, E>> {
    return Fiber.await(this.fiber!)
  }

  get join(): Effect.Effect<A, E> {
    return Fiber.join(this.fiber!)
  }

  get interrupt(): Effect.Effect<void> {
    return Fiber.interrupt(this.fiber!)
  }
}

/**
 * The maximum depth of nested spawns. Tasks start on the stack of the spawning fiber, and a chain of tasks that spawn tasks must
 * not fill it.
 */
const maxDepth = 32
let depth = 0

/** Tasks in the order of their start. */
class TaskList {
  #first: RunningTask<unknown, unknown> | undefined
  #last: RunningTask<unknown, unknown> | undefined

  size = 0

  add(task: RunningTask<unknown, unknown>): void {
    this.size++
    if (this.#last === undefined) this.#first = task
    else {
      this.#last.next = task
      task.previous = this.#last
    }
    this.#last = task
  }

  /** Unlinks a task, so that a handle of an ended task retains no other task. */
  delete(task: RunningTask<unknown, unknown>): void {
    this.size--
    const { next, previous } = task
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    task.previous = undefined
    task.next = undefined
  }

  /** Only when there is one. */
  get first(): RunningTask<unknown, unknown> {
    return this.#first!
  }

  toArray(): ReadonlyArray<RunningTask<unknown, unknown>> {
    const tasks: Array<RunningTask<unknown, unknown>> = []
    for (let task = this.#first; task !== undefined; task = task.next) tasks.push(task)
    return tasks
  }
}

export class TaskSupervisor {
  readonly options: SupervisorOptions
  /** The tasks that were suspended at least once. Tasks in the first, synchronous part of their run are only counted. */
  readonly suspended = new TaskList()
  readonly line: WaitQueue
  readonly stopping = Latch.makeUnsafe()
  readonly failures: Array<Failure> = []
  readonly counts = { spawned: 0, failed: 0, interrupted: 0, rejected: 0, restarted: 0 }
  running = 0
  closed = false
  readonly #clock: Clock.Clock
  readonly #quiet: Condition
  readonly #exempt = new WeakSet<Fiber.Fiber<unknown, unknown>>()
  #interrupting = false

  constructor(options: SupervisorOptions, maker: Fiber.Fiber<unknown, unknown>) {
    this.options = options
    this.#clock = maker.getRef(Clock.Clock)
    this.#quiet = new Condition(maker.currentDispatcher)
    this.line = new WaitQueue(maker.currentDispatcher, () => this.closed || this.running < options.maxRunning)
  }

  /** Whether a task can start now without overtaking a waiting fiber. */
  get hasRoom(): boolean {
    return this.running < this.options.maxRunning && this.line.size === 0
  }

  /** Starts a task in one step: it never holds a place without running. */
  start<A, E, R>(
    parent: Fiber.Fiber<unknown, unknown>,
    label: string,
    effect: Effect.Effect<A, E, R>,
    options: SpawnOptions | undefined
  ): RunningTask<A, E> {
    const { context } = parent
    const gate = options?.gate
    const task = new RunningTask<A, E>(++this.counts.spawned, label, parent.cache, gate)
    const known = task as RunningTask<unknown, unknown>
    if (gate !== undefined) gate.task = known
    let run = options?.restart === undefined ? effect : this.#restarting(known, effect, options.restart)
    if (depth >= maxDepth) run = Effect.andThen(Effect.yieldNow, run)
    this.running++
    depth++
    const fiber = Effect.runForkWith(context as Context.Context<R>)(run)
    depth--
    task.fiber = fiber
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      this.#ended(known, exit, context)
      return task
    }
    task.start = this.#clock.currentTimeMillisUnsafe()
    this.suspended.add(known)
    fiber.addObserver((ended) => {
      this.suspended.delete(known)
      this.#ended(known, ended, fiber.context)
    })
    if (this.#interrupting && !this.#exempt.has(fiber)) fiber.interruptUnsafe(parent.id)
    else if (this.#quiet.isAwaited) this.notice()
    return task
  }

  #ended(
    task: RunningTask<unknown, unknown>,
    exit: Exit.Exit<unknown, unknown>,
    context: Context.Context<never>
  ): void {
    this.running--
    if (exit._tag === "Failure") this.#failed(task, exit.cause, context)
    if (task.special !== undefined) this.#special(task, context)
    if (this.line.size > 0) this.line.wake()
    if (this.#quiet.isAwaited) this.notice()
  }

  #special(task: RunningTask<unknown, unknown>, context: Context.Context<never>): void {
    const { gate, stuck } = task.special!
    if (stuck) {
      runDetached(
        context,
        Effect.logWarning(`Task "${task.label}" of "${this.options.name}", which was stuck, has ended`)
      )
    }
    gate?.resume?.()
  }

  #failed(task: RunningTask<unknown, unknown>, cause: Cause.Cause<unknown>, context: Context.Context<never>): void {
    if (Cause.hasInterruptsOnly(cause)) this.counts.interrupted++
    else if (task.special?.gate?.ready === false && task.special.gate.watched) this.counts.failed++
    else {
      if (task.special?.reported !== true) runDetached(context, this.#report(task, cause))
      if (this.options.onFailure === "failFast") this.#failFast()
    }
  }

  /** Counts, keeps and reports a failure. */
  #report(task: RunningTask<unknown, unknown>, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.counts.failed++
      if (this.options.keepFailures > 0) {
        if (this.failures.length >= this.options.keepFailures) this.failures.shift()
        const time = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        this.failures.push({ label: task.label, task: task.id, cause, time })
      }
      return this.options.onFailure === "ignore"
        ? Effect.void
        : reportFailure(cause, task.label, { task: task.id, tasks: this.options.name })
    })
  }

  #restarting<A, E, R>(
    task: RunningTask<unknown, unknown>,
    effect: Effect.Effect<A, E, R>,
    schedule: Schedule.Schedule<unknown, Cause.Cause<unknown>>
  ): Effect.Effect<A, E, R> {
    let attempts = 0
    const attempt = Effect.onExitPrimitive(
      Effect.suspend(() => {
        if (attempts++ > 0) this.counts.restarted++
        task.become("reported", false)
        return effect
      }),
      (exit) => {
        if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return undefined
        task.become("reported", true)
        return this.#report(task, exit.cause)
      }
    )
    return Effect.sandbox(attempt).pipe(
      Effect.retry({ schedule, while: (cause) => !this.closed && !Cause.hasInterruptsOnly(cause) }),
      Effect.catch(Effect.failCause)
    )
  }

  #failFast(): void {
    if (this.#interrupting) return
    this.close()
    this.stopping.openUnsafe()
    this.interruptAll(undefined)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.line.wake()
  }

  /** Interrupts all running tasks and those about to start; a task that stops its own manager continues. */
  interruptAll(self: Fiber.Fiber<unknown, unknown> | undefined): number {
    this.#interrupting = true
    if (self !== undefined) this.#exempt.add(self)
    let interrupted = 0
    // Copy the list first: a task that is interrupted may end others.
    for (const { fiber } of this.suspended.toArray()) {
      if (fiber === self) continue
      interrupted++
      fiber!.interruptUnsafe(self?.id)
    }
    return interrupted
  }

  /** Waits until no task runs and no fiber waits for a place, except for the calling task. */
  awaitQuiet(self: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return this.#quiet.await(() => this.#isQuiet(self))
  }

  /** Checks, soon, whether a fiber waited for the task that has just ended. */
  notice(): void {
    if (this.running <= 1) this.#quiet.notice()
  }

  #isQuiet(self: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.line.size > 0 || this.running > 1) return false
    if (this.running === 0) return true
    // A task in its first synchronous run is not in `suspended` yet; this is re-checked when it suspends or ends.
    return this.suspended.size === 1 && this.suspended.first.fiber === self
  }
}
