/**
 * The course of a shutdown up to the interruption of the main fiber: readiness, the delay, then the phases in order, each within what
 * is left of one clock.
 */
import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { StackFrame } from "effect/References"
import * as Deadline from "../../Deadline.ts"
import { renderSite } from "../../FiberSite.ts"
import { siteOf } from "../fibers/siteOf.ts"
import { reportFailure, sayNow } from "../reportFailure.ts"
import { rounded } from "../rounded.ts"
import type { Reason, ShutdownReport, ShutdownState } from "./model.ts"

/** The order in which the drain waits for beacons. */
export const beaconOrder = 200

/** Marks the course of a shutdown and whatever it waits with, which are nobody to blame. */
export const courseFrame: StackFrame = { name: "GracefulShutdown", stack: () => undefined, parent: undefined }

/** What takes part in a phase. */
export interface Participant {
  readonly name: string
  readonly order: number
  readonly timeout: number
  readonly effect: Effect.Effect<unknown, unknown>
  /** That of whoever registered it: its services, loggers and tracer. */
  readonly context: Context.Context<never>
  readonly frames: Fiber.Fiber.Cache
}

/** Something that must end before the drain goes on. */
export interface Beacon {
  readonly label: string
  readonly since: number
  /** Not the fiber itself: nobody shall be kept alive for having lit a beacon. */
  readonly frames: Fiber.Fiber.Cache
}

/** A participant that was started. */
interface Running {
  readonly participant: Participant
  readonly start: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  outcome: "running" | "ended" | "failed" | "timedOut" | "stuck"
  end: number | undefined
  /** When it was told to give up. */
  told: number | undefined
  cause: Cause.Cause<unknown> | undefined
}

/** What the clock of a shutdown allows, in milliseconds. */
export interface Allowance {
  readonly deadline: number
  readonly preStopDelay: number
  readonly readinessDelay: number
}

/** The part of the whole that is kept for each phase to come, and for the interruption at the end. */
const reserved = 0.1
/** The part of the whole that a participant gets for its clean-up once it was told to give up. */
const forCleanUp = 0.02

export class Drain {
  readonly participants = new Set<Participant>()
  readonly beacons = new Set<Beacon>()
  /** How many start-ups are under way. */
  startups = 0
  reason: Reason | undefined
  /** The fiber that runs {@link course}. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly #clock: Clock.Clock
  readonly #running: Array<Running> = []
  readonly #wakers = new Set<() => void>()
  readonly #beginnings = new Set<(reason: Reason) => void>()
  readonly #endings = new Set<(report: ShutdownReport) => void>()
  readonly #starts = new Set<() => void>()
  #started = false
  #ready = true
  #status: "waiting" | "delaying" | "draining" | "drained" = "waiting"
  #held: ReadonlyArray<Beacon> = []
  #start = 0
  #delay = { until: 0, flip: 0 }
  #deadlineAt = Infinity

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  get isReady(): boolean {
    return this.#ready && this.startups === 0
  }

  /** Records the reason and starts the clock; only the first call does. */
  begin(reason: Reason, allowance: Allowance): boolean {
    if (this.reason !== undefined) return false
    this.reason = reason
    this.#start = this.now()
    this.#deadlineAt = this.#start + allowance.deadline
    // Half of the time belongs to the work, however long the delay is. Who never was ready has nobody to wait for.
    const delay = this.startups > 0 ? 0 : Math.min(allowance.preStopDelay, allowance.deadline / 2)
    this.#delay = { until: this.#start + delay, flip: this.#start + Math.min(allowance.readinessDelay, delay) }
    this.#status = "delaying"
    if (this.#delay.flip <= this.#start) this.#ready = false
    for (const begun of this.#beginnings) begun(reason)
    this.#beginnings.clear()
    return true
  }

  /** Leaves at most so much time from now, and waits for nobody to notice that we are not ready. */
  shorten(ms: number): void {
    const now = this.now()
    this.#deadlineAt = Math.min(this.#deadlineAt, now + ms)
    this.#delay = { until: now, flip: now }
    this.wake()
  }

  /** The fibers of the shutdown itself: those of the program are their children, or none of theirs. */
  get fibers(): ReadonlySet<unknown> {
    return new Set([this.fiber, ...this.#running.map(({ fiber }) => fiber)])
  }

  /** Interrupts the course and all who run. */
  giveUp(): void {
    this.fiber?.interruptUnsafe()
    for (const { fiber } of this.#running) fiber.interruptUnsafe()
  }

  /** A start-up is over. */
  endStartUp(succeeded: boolean): void {
    this.startups--
    this.#started ||= succeeded
    if (this.startups > 0 || !this.#started || this.reason !== undefined) return
    for (const started of this.#starts) started()
    this.#starts.clear()
  }

  /** Calls a function when a start-up has succeeded and none is under way any more. */
  onStarted(started: () => void): void {
    this.#starts.add(started)
  }

  /** Calls a function when a shutdown has begun. */
  onBegun(begun: (reason: Reason) => void): () => void {
    if (this.reason !== undefined) begun(this.reason)
    else this.#beginnings.add(begun)
    return () => this.#beginnings.delete(begun)
  }

  /** Calls a function when the course has ended. */
  onDrained(ended: (report: ShutdownReport) => void): () => void {
    if (this.#status === "drained") ended(this.report())
    else this.#endings.add(ended)
    return () => this.#endings.delete(ended)
  }

  /** Something that the course may wait for has happened. */
  wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const waker of wakers) waker()
  }

  readonly course: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (this.now() < this.#delay.until) {
      if (this.#ready && this.now() >= this.#delay.flip) this.#ready = false
      yield* this.#sleepUntil(this.#ready ? this.#delay.flip : this.#delay.until)
    }
    this.#ready = false
    this.#status = "draining"
    let last = -Infinity
    for (let order = this.#next(last); order !== undefined; order = this.#next(last)) {
      yield* this.#phase(order)
      last = order
    }
    this.#status = "drained"
    const report = this.report()
    for (const ended of this.#endings) ended(report)
    this.#endings.clear()
  })

  /** Runs everything up to an order that has not been started, and waits for it and for the beacons. */
  #phase(order: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const start = this.now()
      while (true) {
        for (const participant of this.participants) {
          // Those that came late belong to a phase that is over, and must not be forgotten.
          if (participant.order <= order) this.#launch(participant, this.#limit(order, start))
        }
        const now = this.now()
        const limit = this.#limit(order, start)
        let next = Infinity
        for (const running of this.#running) {
          if (running.outcome === "running") next = Math.min(next, this.#judge(running, now, limit))
        }
        if (order === beaconOrder && this.beacons.size > 0 && now < limit) next = Math.min(next, limit)
        if (next === Infinity) break
        yield* this.#sleepUntil(next)
      }
      if (order === beaconOrder) this.#held = [...this.beacons]
    })
  }

  /** Tells one that has used up its time, and gives up on one that was told; answers when to look again. */
  #judge(running: Running, now: number, limit: number): number {
    const { fiber, participant: { name, timeout }, start } = running
    if (running.told === undefined) {
      const until = Math.min(start + timeout, limit)
      if (now < until) return until
      fiber.interruptUnsafe()
      // One that heeds it at once has been told about by now.
      if (running.outcome !== "running") return Infinity
      running.told = now
      sayNow(
        running.participant.context,
        Effect.logWarning(`"${name}" did not stop within ${rounded(now - start)} and is interrupted`)
      )
    }
    const until = running.told + (this.#deadlineAt - this.#start) * forCleanUp
    if (now < until && now < this.#deadlineAt) return Math.min(until, this.#deadlineAt)
    running.outcome = "stuck"
    running.end = now
    const site = renderSite(siteOf(running.participant.frames))
    sayNow(
      running.participant.context,
      Effect.logError(`"${name}" does not heed its interruption and is left behind: ${site}`)
    )
    return Infinity
  }

  #launch(participant: Participant, limit: number): void {
    this.participants.delete(participant)
    const start = this.now()
    const ms = Math.min(participant.timeout, limit - start)
    // A budget that was around the registration is long over; what is left of this clock is the one to go by.
    const bounded = Deadline.unbounded(
      Deadline.within(Effect.exit(participant.effect), Number.isFinite(ms) ? ms : Duration.infinity, participant.name)
    )
    const fiber = Effect.runForkWith(participant.context)(bounded)
    const running: Running = {
      participant,
      start,
      fiber,
      outcome: "running",
      end: undefined,
      told: undefined,
      cause: undefined
    }
    this.#running.push(running)
    fiber.addObserver((exit) => this.#ended(running, exit))
  }

  #ended(running: Running, exit: Exit.Exit<Exit.Exit<unknown, unknown>, unknown>): void {
    // One that was left behind stays so in the report, whatever became of it.
    if (running.outcome !== "running") return
    running.end = this.now()
    if (Exit.isFailure(exit)) running.outcome = "timedOut"
    else if (Exit.isSuccess(exit.value)) running.outcome = "ended"
    else {
      running.outcome = "failed"
      running.cause = exit.value.cause
      sayNow(running.participant.context, reportFailure(exit.value.cause, running.participant.name))
    }
    if (running.outcome === "timedOut" && running.told === undefined) {
      const ms = rounded(running.end - running.start)
      sayNow(
        running.participant.context,
        Effect.logWarning(`"${running.participant.name}" did not stop within ${ms} and was interrupted`)
      )
    }
    this.wake()
  }

  /** The next phase after an order; the same once more for those that came too late for it. */
  #next(last: number): number | undefined {
    for (const { order } of this.participants) if (order <= last) return last
    return this.#orders(last).sort((a, b) => a - b)[0]
  }

  #orders(after: number): Array<number> {
    const orders = new Set<number>()
    for (const { order } of this.participants) orders.add(order)
    if (this.beacons.size > 0) orders.add(beaconOrder)
    return [...orders].filter((order) => order > after)
  }

  /** When a phase must be over so that all who come after it get something. */
  #limit(order: number, start: number): number {
    const after = this.#orders(order).length + 1
    const equal = start + (this.#deadlineAt - start) / (after + 1)
    return Math.max(this.#deadlineAt - (this.#deadlineAt - this.#start) * reserved * after, equal)
  }

  #sleepUntil(time: number): Effect.Effect<void> {
    const changed = Effect.callback<void>((resume) => {
      const waker = () => resume(Effect.void)
      this.#wakers.add(waker)
      return Effect.sync(() => this.#wakers.delete(waker))
    })
    return Effect.raceFirst(changed, Effect.sleep(Duration.millis(Math.max(time - this.now(), 0))))
  }

  /** What a shutdown is waiting for right now. */
  waitingFor(): ReadonlyArray<string> {
    if (this.#status === "waiting" || this.#status === "drained") return []
    const running = this.#running.filter(({ outcome }) => outcome === "running")
    return [...running.map(({ participant }) => participant.name), ...[...this.beacons].map(({ label }) => label)]
  }

  state(): ShutdownState {
    const status = this.#status === "waiting" ? (this.startups > 0 ? "starting" : "running") : this.#status
    return {
      status,
      isReady: this.isReady,
      reason: this.reason,
      waitingFor: this.waitingFor()
    }
  }

  report(): ShutdownReport {
    const now = this.now()
    const held = this.#status === "drained" ? this.#held : [...this.beacons]
    return {
      reason: this.reason,
      elapsed: Duration.millis(this.reason === undefined ? 0 : now - this.#start),
      participants: this.#running.map((running) => ({
        name: running.participant.name,
        order: running.participant.order,
        outcome: running.outcome,
        elapsed: Duration.millis((running.end ?? now) - running.start),
        cause: running.cause,
        site: siteOf(running.participant.frames)
      })),
      notStarted: [...this.participants].map(({ name }) => name),
      held: held.map(({ frames, label, since }) => ({ label, age: Duration.millis(now - since), site: siteOf(frames) }))
    }
  }
}
