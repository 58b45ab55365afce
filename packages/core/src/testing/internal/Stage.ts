/**
 * The stage on which the lab plays one run of a program: scheduler, clock and random source are virtual, and a plan sets the
 * point of the interruption.
 *
 * It uses only the public API of the runtime: `Scheduler`, `Clock`, `Random`, `Tracer.context`, `fiber.interruptUnsafe`.
 */
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import { isInterrupting } from "../../internal/census/FiberRuntime.ts"
import type { RuntimeFiber } from "../../internal/census/FiberRuntime.ts"
import type { Ledger } from "../Ledger.ts"
import type { Plan, Point } from "../Point.ts"
import { seeded } from "./seeded.ts"
import type { Batch } from "./TaskQueue.ts"
import { Dispatcher, TaskQueue } from "./TaskQueue.ts"
import { VirtualClock } from "./VirtualClock.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The number of microtasks to await. A promise that resolves with a promise takes three; chains are rarely longer than a few dozen. */
const microtasks = 64

/** The points at which a run can be interrupted, and the trace of the run at each of them. */
export type Recording = Record<Point["_tag"], Array<readonly [point: Point, trace: number]>>

const emptyRecording = (): Recording => ({ Park: [], Task: [], Idle: [] })

/** An interruption as it was carried out. */
export interface Applied {
  readonly point: Point
  /** The fiber that was about to run, for a `Park`; the interrupted fiber for the other kinds. */
  readonly fiber: AnyFiber
  readonly victim: AnyFiber
  readonly op: number
  readonly ms: number
  readonly trace: number
}

export interface StageOptions {
  /** The number of operations after which the run is stopped. */
  readonly maxOps: number
  /** Milliseconds of virtual time that fibers may outlive the root. */
  readonly grace: number
  /** The time at which a program that never ends is interrupted; earlier if nothing is due any more. */
  readonly endless: number | undefined
  /** Also parks fibers where the result of an asynchronous operation is delivered. */
  readonly deliveries: boolean
  /** Real milliseconds that the asynchronous driver waits before it moves the clock. */
  readonly settle: number
}

export class Stage implements Scheduler.Scheduler, Random.Random {
  readonly executionMode = "async" as const
  readonly plan: Plan
  readonly clock: VirtualClock = new VirtualClock()
  readonly random: () => number
  readonly applied: Array<Applied> = []
  readonly choices: Array<number> = []
  ledger: Ledger | undefined
  ops = 0
  tasks = 0
  idles = 0
  /** A rolling hash of which fiber ran each operation: runs with different hashes took different paths. */
  trace = 0
  root: AnyFiber | undefined
  /** The reason why the run cannot be trusted: the runtime no longer behaves as the lab requires. */
  blind: string | undefined
  exhausted = false
  readonly thrown: Array<unknown> = []
  /** Called as each point is carried out; for reports. */
  onApply: ((applied: Applied, stage: Stage) => void) | undefined

  readonly #options: StageOptions
  readonly #pick: ((n: number) => number) | undefined
  // The program's fibers in the order in which they first ran.
  readonly #fibers = new Map<AnyFiber, number>()
  #current: AnyFiber | undefined
  #index = 0
  #isNew = false
  readonly #queue = new TaskQueue()
  // The next point, and the numbers that the hot path compares with it.
  #point: Point | undefined
  #parkAt = -1
  #taskAt = -1
  #idleAt = -1
  #parking: AnyFiber | undefined
  #pending: { readonly dispatcher: Dispatcher; readonly victim: AnyFiber } | undefined
  #closed = false
  #isShutDown = false
  #close: (() => boolean) | undefined
  #endedAt = -1
  // The subjects: the parts of the program that are interrupted, if that is not the whole program.
  readonly #subjects: Array<AnyFiber> = []
  #expectSubject = false
  #hasSubjects = false
  #recording: Recording | undefined

  constructor(plan: Plan, options: StageOptions) {
    this.plan = plan
    this.#options = options
    this.random = seeded(plan.seed)
    const order = plan.order
    if (order._tag === "Seed") {
      const next = seeded(order.seed)
      this.#pick = (n) => Math.floor(next() * n)
    } else if (order._tag === "Choices") {
      let at = 0
      this.#pick = (n) => Math.min(order.choices[at++] ?? 0, n - 1)
    }
    this.#aim()
  }

  get fault(): Plan["fault"] {
    return this.plan.fault
  }

  get now(): number {
    return this.clock.now
  }

  // ---------------------------------------------------------------- the state at the end of a run

  get exit(): Exit.Exit<unknown, unknown> | undefined {
    return this.root?.pollUnsafe()
  }

  get alive(): ReadonlyArray<AnyFiber> {
    return [...this.#fibers.keys()].filter((fiber) => fiber.pollUnsafe() === undefined)
  }

  get recording(): Recording {
    return this.#recording ?? emptyRecording()
  }

  /** The fibers that the program declared as its subjects. */
  get subjects(): ReadonlyArray<AnyFiber> {
    return this.#subjects
  }

  /** `root`, `subject 1`, `fiber 1`: fibers are numbered as they first run. */
  nameOf(fiber: AnyFiber): string {
    if (fiber === this.root) return "root"
    const subject = this.#subjects.indexOf(fiber)
    return subject < 0 ? `fiber ${this.#fibers.get(fiber) ?? "?"}` : `subject ${subject + 1}`
  }

  // ---------------------------------------------------------------- Scheduler

  shouldYield(fiber: AnyFiber): boolean {
    // Fibers that remain after a finished run stop here: they yield, and their resume is dropped.
    if (this.#closed) return true
    if (fiber !== this.#current) this.#switchTo(fiber)
    const op = ++this.ops
    this.trace = Math.imul(this.trace ^ (this.#index << 8) ^ fiber.currentOpCount, 0x01000193)
    if (this.#parking !== undefined) this.blind ??= "a fiber that had to yield continued"
    if (op === this.#parkAt && this.#park(fiber)) return true
    if (this.#recording !== undefined && (this.#options.deliveries || !this.#isDelivery(fiber))) {
      this.#record("Park", (victim) => ({ _tag: "Park", op, ...victim }))
    }
    this.#isNew = false
    if (op > this.#options.maxOps) {
      this.exhausted = true
      this.close()
      return true
    }
    if (this.ledger?.watching === true) this.ledger.check()
    return false
  }

  makeDispatcher(): Dispatcher {
    return new Dispatcher(this.#schedule, this.#flush)
  }

  readonly #schedule = (dispatcher: Dispatcher, run: () => void, priority: number): void => {
    if (this.#closed) return
    if (this.#parking !== undefined) {
      dispatcher.held = true
      this.#pending = { dispatcher, victim: this.#parking }
      this.#parking = undefined
    }
    this.#queue.add(dispatcher, { run, priority })
  }

  readonly #flush = (dispatcher: Dispatcher): void => {
    for (;;) {
      if (this.#pending?.dispatcher === dispatcher) this.#resolvePark()
      const batch = this.#queue.of(dispatcher)
      if (batch === undefined) return
      this.#runTask(batch)
    }
  }

  // ---------------------------------------------------------------- Random

  nextDoubleUnsafe(): number {
    return this.random()
  }
  nextIntUnsafe(): number {
    return Math.floor(this.random() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER
  }

  // ---------------------------------------------------------------- a run

  /** Records the points at which the run can be interrupted after the points of its plan. */
  record(): void {
    this.#recording = emptyRecording()
  }

  /** Begins a subject: the next new fiber is the only part that is interrupted. */
  beginSubject(): void {
    this.#expectSubject = true
    if (this.#hasSubjects) return
    this.#hasSubjects = true
    // Until now the whole program was the subject.
    if (this.#recording !== undefined) this.#recording = emptyRecording()
  }

  /**
   * Plays a program that waits only for its fibers and the clock. `close` closes the scope of the run when its root has ended,
   * and returns whether there was anything to close.
   */
  play(start: () => void, close: () => boolean): void {
    this.#close = close
    this.#sealed(() => {
      start()
      for (;;) {
        this.#drain()
        if (this.#hasEnded() && this.clock.pending === 0) return
        if (!this.#quiesce() && !this.#tick()) return
      }
    })
  }

  /** Plays a program that also waits for promises: the event loop gets its turns before the clock advances. */
  async playAsync(start: () => void, close: () => boolean): Promise<void> {
    this.#close = close
    this.#sealed(start)
    for (;;) {
      this.#sealed(() => {
        this.#drain()
        this.#hasEnded()
        if (this.#quiesce()) this.#drain()
      })
      if (await this.#eventLoop()) continue
      let moved = false
      this.#sealed(() => {
        moved = this.#tick()
      })
      if (!moved) return
    }
  }

  /** Stops the run: remaining fibers stop at their next operation. */
  close(): void {
    this.#closed = true
    this.#queue.clear()
    this.clock.clear()
    this.#pending = undefined
  }

  /**
   * Lets promises settle; returns true as soon as a fiber has run. Microtasks are awaited one at a time, so that a program is
   * idle, and can be interrupted, between the promises it waits for. Then come two turns of the event loop: what a callback of
   * the first one starts has its own callback in the second. Then comes the time to settle, if a fiber waits.
   */
  async #eventLoop(): Promise<boolean> {
    const before = this.ops
    const happened = () => this.ops !== before || this.#queue.size > 0
    for (let hop = 0; hop < microtasks; hop++) {
      await Promise.resolve()
      if (happened()) return true
    }
    for (let turn = 0; turn < 2; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (happened()) return true
    }
    const until = performance.now() + (this.alive.length > 0 ? this.#options.settle : 0)
    while (performance.now() < until) {
      await new Promise<void>((resolve) => setTimeout(resolve, 1))
      if (happened()) return true
    }
    return false
  }

  /** Whether the root has ended. If so, its scope is closed. */
  #hasEnded(): boolean {
    if (this.#closed) return true
    if (this.root?.pollUnsafe() === undefined) return false
    if (this.#endedAt < 0) {
      this.#endedAt = this.now
      if (this.#close!()) this.#drain()
    }
    return true
  }

  /** Handles the state in which every fiber waits. Returns true when the interruption falls here. */
  #quiesce(): boolean {
    const idle = ++this.idles
    if (this.#recording !== undefined) this.#record("Idle", (victim) => ({ _tag: "Idle", idle, ...victim }))
    if (idle !== this.#idleAt) return false
    const victim = this.#apply()
    victim?.interruptUnsafe()
    return victim !== undefined
  }

  /** Advances the clock to the next timer. Returns false when there is none, or none that still matters. */
  #tick(): boolean {
    if (this.clock.pending === 0) return this.#deadlock()
    if (this.#endedAt >= 0 && this.clock.due - this.#endedAt > this.#options.grace) return false
    if (this.clock.due > (this.#options.endless ?? Infinity) && this.#shutDown()) return true
    this.clock.tick(this.#choose)
    return true
  }

  #deadlock(): boolean {
    if (this.#closed || this.root?.pollUnsafe() !== undefined) return false
    return this.#options.endless !== undefined && this.#shutDown()
  }

  /** Interrupts a program that never ends, once, unless a point of the plan has done so. */
  #shutDown(): boolean {
    if (this.#isShutDown || this.applied.length > 0) return false
    this.#isShutDown = true
    const victims = this.#victims().filter((victim) => victim.pollUnsafe() === undefined)
    for (const victim of victims) victim.interruptUnsafe()
    return victims.length > 0
  }

  #drain(): void {
    for (;;) {
      if (this.#pick === undefined) {
        if (this.#pending !== undefined) this.#resolvePark()
        const batch = this.#queue.first
        if (batch === undefined) return
        this.#runTask(batch)
        continue
      }
      const { candidates } = this.#queue
      if (this.#pending !== undefined && this.#choose(candidates.length + 1) === 0) this.#resolvePark()
      else if (candidates.length === 0) return
      else this.#runTask(candidates[this.#choose(candidates.length)]!)
    }
  }

  readonly #choose = (n: number): number => {
    if (n < 2 || this.#pick === undefined) return 0
    const choice = this.#pick(n)
    this.choices.push(choice)
    return choice
  }

  #runTask(batch: Batch): void {
    const run = this.#queue.take(batch)
    const number = ++this.tasks
    if (this.#recording !== undefined) this.#record("Task", (victim) => ({ _tag: "Task", task: number, ...victim }))
    if (number === this.#taskAt) this.#apply()?.interruptUnsafe()
    // An observer of a fiber may throw; outside of the lab that is an uncaught exception.
    try {
      run()
    } catch (error) {
      this.thrown.push(error)
    }
  }

  /** Runs program code with the random numbers of the run. */
  #sealed(run: () => void): void {
    const random = Math.random
    Math.random = this.random
    try {
      run()
    } finally {
      Math.random = random
    }
  }

  // ---------------------------------------------------------------- interruption

  /** The fibers that interruptions hit: the subjects if there are any, otherwise the root. */
  #victims(): ReadonlyArray<AnyFiber> {
    return this.#hasSubjects || this.root === undefined ? this.#subjects : [this.root]
  }

  #park(fiber: AnyFiber): boolean {
    this.#parking = this.#apply(fiber)
    return this.#parking !== undefined
  }

  #resolvePark(): void {
    const { dispatcher, victim } = this.#pending!
    this.#pending = undefined
    dispatcher.held = false
    victim.interruptUnsafe()
  }

  /** Records that the next point is reached, and returns the fiber that it hits, or `undefined` if that fiber has already ended. */
  #apply(fiber?: AnyFiber): AnyFiber | undefined {
    const point = this.#point!
    const victim = this.#victims()[point.victim ?? 0]
    if (victim === undefined || victim.pollUnsafe() !== undefined) return undefined
    const applied: Applied = { point, fiber: fiber ?? victim, victim, op: this.ops, ms: this.now, trace: this.trace }
    this.applied.push(applied)
    this.#aim()
    this.onApply?.(applied, this)
    return victim
  }

  #aim(): void {
    const point = this.#point = this.plan.points[this.applied.length]
    this.#parkAt = point?._tag === "Park" ? point.op : -1
    this.#taskAt = point?._tag === "Task" ? point.task : -1
    this.#idleAt = point?._tag === "Idle" ? point.idle : -1
  }

  // ---------------------------------------------------------------- fibers and points

  #switchTo(fiber: AnyFiber): void {
    this.#current = fiber
    const index = this.#fibers.get(fiber)
    if (index !== undefined) {
      this.#index = index
      this.#isNew = false
      return
    }
    this.#index = this.#fibers.size
    this.#fibers.set(fiber, this.#index)
    this.#isNew = true
    this.root ??= fiber
    if (this.#expectSubject) {
      this.#expectSubject = false
      this.#subjects.push(fiber)
    }
  }

  /**
   * Whether a fiber is about to receive the result of its asynchronous operation, or the interruption that came before it began:
   * the first operation of a run loop that is not the fiber's first one, or that consists only of an exit. This still belongs to
   * the previous operation. No scheduler that counts operations can yield here: a fiber that yields before its first operation
   * never makes progress.
   */
  #isDelivery(fiber: AnyFiber): boolean {
    return fiber.currentOpCount === 1 && (!this.#isNew || isInterrupting(fiber as unknown as RuntimeFiber))
  }

  /** Records a point, once for each fiber that it would hit, unless the plan has points that are still to come. */
  #record(kind: Point["_tag"], make: (victim: { readonly victim?: number }) => Point): void {
    if (this.#point !== undefined) return
    this.#victims().forEach((victim, index) => {
      if (victim.pollUnsafe() === undefined) {
        this.#recording![kind].push([make(index === 0 ? {} : { victim: index }), this.trace])
      }
    })
  }
}

/** The stage of the run that a fiber belongs to, for the functions of the lab that the program calls. */
export const CurrentStage: Context.Reference<Stage | undefined> = Context.Reference<Stage | undefined>(
  "@fiberscope/core/testing/Stage",
  { defaultValue: () => undefined }
)
