/**
 * The drain sequence of a shutdown until the main fiber is interrupted: readiness, the delay, then the phases in order, all
 * within one deadline.
 *
 * | status     | entered by                   | readiness                    | next                              |
 * | ---------- | ---------------------------- | ---------------------------- | --------------------------------- |
 * | `waiting`  | construction                 | true after start-up          | `delaying`, by `begin`            |
 * | `delaying` | a signal, a request, a fault | false after `readinessDelay` | `draining`, after `preStopDelay`  |
 * | `draining` | `sequence`                   | false                        | `drained`, after the last phase   |
 * | `drained`  | `sequence`                   | false                        | the main fiber is interrupted     |
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
import { monotonic } from "../monotonic.ts"
import { reportFailure, runDetached } from "../reportFailure.ts"
import { rounded } from "../rounded.ts"
import { wasAbandoned } from "../wasAbandoned.ts"
import type { Reason, ShutdownReport, ShutdownState } from "./model.ts"

/** The order in which the drain waits for holds. */
export const holdOrder = 200

/** Marks the fibers of the drain sequence, which must not be reported as stuck. */
export const sequenceFrame: StackFrame = { name: "GracefulShutdown", stack: () => undefined, parent: undefined }

/** A registered participant of a phase. */
export interface Participant {
  readonly name: string
  readonly order: number
  readonly timeout: number
  readonly effect: Effect.Effect<unknown, unknown>
  /** The context at the registration: its services, loggers and tracer. */
  readonly context: Context.Context<never>
  readonly capturedAt: Fiber.Fiber.Cache
}

/** A hold that must end before the drain continues. */
export interface Hold {
  readonly label: string
  readonly since: number
  /** The cache at the registration. Not the fiber itself: a hold must not keep its fiber alive. */
  readonly capturedAt: Fiber.Fiber.Cache
}

/** A participant that was started. */
interface Running {
  readonly participant: Participant
  readonly start: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  outcome: "running" | "ended" | "failed" | "timedOut" | "stuck"
  end: number | undefined
  /** The time at which it was interrupted. */
  interruptedAt: number | undefined
  cause: Cause.Cause<unknown> | undefined
}

/** The time limits of a shutdown, in milliseconds. */
export interface Allowance {
  readonly deadline: number
  readonly preStopDelay: number
  readonly readinessDelay: number
}

/** The share of the total time that is reserved for each later phase, and for the interruption at the end. */
const reserved = 0.1
/** The share of the total time that a participant gets for its clean-up after its interruption. */
const forCleanUp = 0.02

export class Drain {
  readonly participants = new Set<Participant>()
  readonly holds = new Set<Hold>()
  /** The number of start-ups in progress. */
  startups = 0
  reason: Reason | undefined
  /** The fiber that runs {@link sequence}. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number
  readonly #running: Array<Running> = []
  readonly #wakers = new Set<() => void>()
  readonly #beginnings = new Set<(reason: Reason) => void>()
  readonly #endings = new Set<(report: ShutdownReport) => void>()
  readonly #starts = new Set<() => void>()
  #started = false
  #ready = true
  #status: "waiting" | "delaying" | "draining" | "drained" = "waiting"
  #held: ReadonlyArray<Hold> = []
  #start = 0
  #delay = { until: 0, flip: 0 }
  #deadlineAt = Infinity

  constructor(clock: Clock.Clock) {
    this.now = monotonic(clock)
  }

  get isReady(): boolean {
    return this.#ready && this.startups === 0
  }

  /** Records the reason and starts the clock; only the first call has an effect. */
  begin(reason: Reason, allowance: Allowance): boolean {
    if (this.reason !== undefined) return false
    this.reason = reason
    this.#start = this.now()
    this.#deadlineAt = this.#start + allowance.deadline
    // Half of the time is reserved for the work, however long the delay is. Skip the pre-stop delay if the service was never
    // ready.
    const delay = this.startups > 0 ? 0 : Math.min(allowance.preStopDelay, allowance.deadline / 2)
    this.#delay = { until: this.#start + delay, flip: this.#start + Math.min(allowance.readinessDelay, delay) }
    this.#status = "delaying"
    if (this.#delay.flip <= this.#start) this.#ready = false
    for (const begun of this.#beginnings) begun(reason)
    this.#beginnings.clear()
    return true
  }

  /** Limits the remaining time to `ms`, and ends the pre-stop delay. */
  shorten(ms: number): void {
    const now = this.now()
    this.#deadlineAt = Math.min(this.#deadlineAt, now + ms)
    this.#delay = { until: now, flip: now }
    this.wake()
  }

  /** The fibers of the shutdown itself. Fibers of the program are their children or unrelated. */
  get fibers(): ReadonlySet<unknown> {
    return new Set([this.fiber, ...this.#running.map(({ fiber }) => fiber)])
  }

  /** Interrupts the drain sequence and all running participants. */
  giveUp(): void {
    this.fiber?.interruptUnsafe()
    for (const { fiber } of this.#running) fiber.interruptUnsafe()
  }

  /** Records the end of a start-up. */
  endStartUp(succeeded: boolean): void {
    this.startups--
    this.#started ||= succeeded
    if (this.startups > 0 || !this.#started || this.reason !== undefined) return
    for (const started of this.#starts) started()
    this.#starts.clear()
  }

  /** Calls a function when a start-up has succeeded and none is in progress any more. */
  onStarted(started: () => void): void {
    this.#starts.add(started)
  }

  /** Calls a function when a shutdown has begun. */
  onBegun(begun: (reason: Reason) => void): () => void {
    if (this.reason !== undefined) begun(this.reason)
    else this.#beginnings.add(begun)
    return () => this.#beginnings.delete(begun)
  }

  /** Calls a function when the drain sequence has ended. */
  onDrained(ended: (report: ShutdownReport) => void): () => void {
    if (this.#status === "drained") ended(this.report())
    else this.#endings.add(ended)
    return () => this.#endings.delete(ended)
  }

  /** Makes the drain sequence check its conditions again. */
  wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const waker of wakers) waker()
  }

  readonly sequence: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
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

  /** Starts all participants up to an order, and waits for them and for the holds. */
  #phase(order: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const start = this.now()
      while (true) {
        for (const participant of this.participants) {
          // Participants that registered late, for a phase that is over, are started as well.
          if (participant.order <= order) this.#launch(participant, this.#limit(order, start))
        }
        const now = this.now()
        const limit = this.#limit(order, start)
        let next = Infinity
        for (const running of this.#running) {
          if (running.outcome === "running") next = Math.min(next, this.#judge(running, now, limit))
        }
        if (order === holdOrder && this.holds.size > 0 && now < limit) next = Math.min(next, limit)
        if (next === Infinity) break
        yield* this.#sleepUntil(next)
      }
      if (order === holdOrder) this.#held = [...this.holds]
    })
  }

  /** Interrupts a participant that has used up its time, and abandons one that did not respond; returns the time of the next check. */
  #judge(running: Running, now: number, limit: number): number {
    const { fiber, participant: { name, timeout }, start } = running
    if (running.interruptedAt === undefined) {
      const until = Math.min(start + timeout, limit)
      if (now < until) return until
      fiber.interruptUnsafe()
      // A participant that responded immediately has already been reported.
      if (running.outcome !== "running") return Infinity
      running.interruptedAt = now
      runDetached(
        running.participant.context,
        Effect.logWarning(`"${name}" did not stop within ${rounded(now - start)} and is interrupted`)
      )
    }
    const until = running.interruptedAt + (this.#deadlineAt - this.#start) * forCleanUp
    if (now < until && now < this.#deadlineAt) return Math.min(until, this.#deadlineAt)
    running.outcome = "stuck"
    running.end = now
    const site = renderSite(siteOf(running.participant.capturedAt))
    runDetached(
      running.participant.context,
      Effect.logError(`"${name}" ${wasAbandoned}: ${site}`)
    )
    return Infinity
  }

  #launch(participant: Participant, limit: number): void {
    this.participants.delete(participant)
    const start = this.now()
    const ms = Math.min(participant.timeout, limit - start)
    // The deadline at the registration is over; the remaining time of this shutdown applies instead.
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
      interruptedAt: undefined,
      cause: undefined
    }
    this.#running.push(running)
    fiber.addObserver((exit) => this.#ended(running, exit))
  }

  #ended(running: Running, exit: Exit.Exit<Exit.Exit<unknown, unknown>, unknown>): void {
    // An abandoned participant stays `stuck` in the report, even if it ends later.
    if (running.outcome !== "running") return
    running.end = this.now()
    if (Exit.isFailure(exit)) running.outcome = "timedOut"
    else if (Exit.isSuccess(exit.value)) running.outcome = "ended"
    else {
      running.outcome = "failed"
      running.cause = exit.value.cause
      runDetached(running.participant.context, reportFailure(exit.value.cause, running.participant.name))
    }
    if (running.outcome === "timedOut" && running.interruptedAt === undefined) {
      const ms = rounded(running.end - running.start)
      runDetached(
        running.participant.context,
        Effect.logWarning(`"${running.participant.name}" did not stop within ${ms} and was interrupted`)
      )
    }
    this.wake()
  }

  /** The next phase after an order, or the same one again for late registrations. */
  #next(last: number): number | undefined {
    for (const { order } of this.participants) if (order <= last) return last
    return this.#orders(last).sort((a, b) => a - b)[0]
  }

  #orders(after: number): Array<number> {
    const orders = new Set<number>()
    for (const { order } of this.participants) orders.add(order)
    if (this.holds.size > 0) orders.add(holdOrder)
    return [...orders].filter((order) => order > after)
  }

  /** The time by which a phase must end so that all later phases get a share. */
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

  /** The names of the participants and holds that a shutdown is waiting for now. */
  waitingFor(): ReadonlyArray<string> {
    if (this.#status === "waiting" || this.#status === "drained") return []
    const running = this.#running.filter(({ outcome }) => outcome === "running")
    return [...running.map(({ participant }) => participant.name), ...[...this.holds].map(({ label }) => label)]
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
    const held = this.#status === "drained" ? this.#held : [...this.holds]
    return {
      reason: this.reason,
      elapsed: Duration.millis(this.reason === undefined ? 0 : now - this.#start),
      participants: this.#running.map((running) => ({
        name: running.participant.name,
        order: running.participant.order,
        outcome: running.outcome,
        elapsed: Duration.millis((running.end ?? now) - running.start),
        cause: running.cause,
        site: siteOf(running.participant.capturedAt)
      })),
      notStarted: [...this.participants].map(({ name }) => name),
      held: held.map(({ capturedAt, label, since }) => ({
        label,
        age: Duration.millis(now - since),
        site: siteOf(capturedAt)
      }))
    }
  }
}
