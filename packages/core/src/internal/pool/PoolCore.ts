/**
 * The places of a pool, and who waits for one.
 *
 * Whoever needs a connection that is not at hand waits in line; opening, checking and closing connections is work of the pool, in fibers
 * of its own. A connection is handed to the first in line in one step with the bookkeeping, and comes back, in one step, from wherever
 * the borrower is interrupted. A place is occupied from before its connection is opened until after it is closed, so there are never
 * more connections than places.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { AsyncLocalStorage } from "node:async_hooks"
import { unbounded } from "../../Deadline.ts"
import { Alarm } from "../Alarm.ts"
import { Condition } from "../Condition.ts"
import { isDue } from "../isDue.ts"
import { reportFailure, sayNow } from "../reportFailure.ts"
import { rounded } from "../rounded.ts"
import type { Lease, PoolCoreOptions, Waiter } from "./parts.ts"
import { nameOf, Slot } from "./parts.ts"

/** How long a pool that keeps connections ready waits after it could not open one. */
const retryDelay = 1000

export class PoolCore<A, E> {
  readonly options: PoolCoreOptions<A, E>
  readonly slots = new Set<Slot<A>>()
  readonly waiters = new Set<Waiter<A>>()
  readonly counts = {
    leases: 0,
    opened: 0,
    closed: 0,
    failed: 0,
    invalid: 0,
    timeouts: 0,
    rejected: 0,
    leaks: 0,
    abandoned: 0
  }
  readonly changed: Condition
  leased = 0
  closing = 0
  closed = false
  lastFailure: { readonly cause: Cause.Cause<unknown>; readonly at: number } | undefined
  // The connection that was used last is on top: the others may grow old.
  readonly #idle: Array<Slot<A>> = []
  readonly #alarm: Alarm
  readonly #woken: Array<Waiter<A>> = []
  /** What the pool starts must not run in the async context of the request that happened to need it: a socket would keep that. */
  readonly #outside = AsyncLocalStorage.snapshot()
  #pumping = false
  /** Slots on their way to somebody who waits. */
  #working = 0
  /** Counts the occasions on which connections turned out to be broken: all others are suspect then. */
  #epoch = 0
  #retryAt = -Infinity

  constructor(options: PoolCoreOptions<A, E>) {
    this.options = options
    this.changed = new Condition(options.dispatcher)
    this.#alarm = new Alarm((sleep) => this.#run(sleep), options.now, () => this.#ring())
  }

  count(state: Slot<A>["state"]): number {
    let n = 0
    for (const slot of this.slots) if (slot.state === state) n++
    return n
  }

  /** Whether as many wait as may, not counting those for whom there is a connection or will be a place. */
  get isFull(): boolean {
    const { max, maxWaiters } = this.options
    return this.waiters.size >= maxWaiters + this.#idle.length + this.#working + max - this.slots.size
  }

  // ---------------------------------------------------------------- borrowing

  /** Takes a connection that is at hand, unless others have waited for longer. Whoever calls it must {@link giveBack}. */
  take(fiber: Fiber.Fiber<unknown, unknown>, label: string | undefined): Slot<A> | undefined {
    if (this.waiters.size > 0) return undefined
    const slot = this.#idle[this.#idle.length - 1]
    if (slot === undefined) return undefined
    const now = this.options.now()
    if (now >= slot.expiresAt || this.#isSuspect(slot, now)) return undefined
    this.#idle.pop()
    this.#lend(slot, now, fiber.id, fiber.cache, label)
    return slot
  }

  /** Waits in line. Whoever calls it must {@link end} the lease, whatever happens. */
  wait<E2>(
    lease: Lease<A>,
    fiber: Fiber.Fiber<unknown, unknown>,
    label: string | undefined,
    timeout: number,
    onTimeout: (waited: number) => E2
  ): Effect.Effect<void, E | E2> {
    const since = this.options.now()
    const deadline = since + timeout
    const waiter: Waiter<A> = {
      lease,
      holder: fiber.id,
      taken: fiber.cache,
      label,
      since,
      deadline,
      onTimeout,
      outcome: undefined,
      resume: undefined
    }
    lease.waiter = waiter
    this.waiters.add(waiter)
    this.#alarm.arm(deadline)
    this.pump()
    return Effect.callback<void, E | E2>((resume) => {
      if (waiter.outcome === undefined) waiter.resume = resume as Waiter<A>["resume"]
      else resume(waiter.outcome)
    })
  }

  /** Gives back what it has got by waiting, or leaves the line. Nothing happens the second time. */
  end(lease: Lease<A>, exit: Exit.Exit<unknown, unknown>): void {
    const { slot, waiter } = lease
    if (waiter !== undefined) {
      lease.waiter = undefined
      this.waiters.delete(waiter)
    }
    if (slot === undefined) return
    lease.slot = undefined
    this.giveBack(slot, exit)
  }

  giveBack(slot: Slot<A>, exit: Exit.Exit<unknown, unknown>): void {
    const now = this.options.now()
    if (slot.reported) this.#reportReturn(slot, now)
    // It was taken away in the meantime.
    if (slot.state !== "leased") return
    this.leased--
    slot.taken = undefined
    slot.label = undefined
    const fatal = exit._tag === "Failure" && this.#isFatal(exit.cause, slot)
    if (fatal) this.#epoch++
    if (fatal || slot.retired || this.closed || now >= slot.expiresAt) this.#close(slot, exit)
    else this.#rest(slot, now)
  }

  /** Takes a connection out of the pool, now or when it comes back. */
  retire(connection: A): void {
    for (const slot of this.slots) {
      if (slot.opened?.value !== connection || slot.state === "closing") continue
      slot.retired = true
      if (slot.state === "idle") {
        this.#idle.splice(this.#idle.indexOf(slot), 1)
        this.#close(slot)
      }
    }
  }

  // ---------------------------------------------------------------- the pool's own work

  /** Gives those in line what there is, and opens and checks connections for the others. */
  pump(): void {
    // What is opened or checked may be so at once; it finds the loop below still looking.
    if (this.closed || this.#pumping) return
    this.#pumping = true
    const { max, min, now } = this.options
    while (this.waiters.size > 0) {
      const slot = this.#takeFresh(now())
      if (slot !== undefined) {
        this.#hand(slot, now())
        continue
      }
      if (this.waiters.size <= this.#working) break
      const suspect = this.#idle.pop()
      if (suspect !== undefined) this.#check(suspect)
      else if (this.slots.size < max) this.#open()
      else break
    }
    while (this.slots.size - this.closing < min && this.slots.size < max && isDue(this.#retryAt, now())) this.#open()
    this.#pumping = false
  }

  /** Refuses everybody from now on, and closes what nobody holds. */
  shut(refusal: () => Effect.Effect<never, unknown>): void {
    this.closed = true
    for (const waiter of this.waiters) this.#answer(waiter, refusal())
    for (const slot of this.#idle.splice(0)) this.#close(slot)
    for (const slot of this.slots) {
      if (slot.state !== "opening" && slot.state !== "checking") continue
      slot.retired = true
      slot.job?.interruptUnsafe()
    }
  }

  /** Closes what somebody holds, and what is being checked and does not heed that it need not be any more. */
  revoke(): void {
    for (const slot of this.slots) {
      if (slot.state === "checking") this.#checkIsOverdue(slot)
      if (slot.state !== "leased") continue
      this.leased--
      // For the line that is said when it comes back.
      slot.reported = true
      this.#close(slot)
    }
  }

  /** Lets go on by itself what does not end. */
  abandon(): void {
    for (const slot of this.slots) this.#leaveBehind(slot)
    this.#alarm.stop()
  }

  #lend(
    slot: Slot<A>,
    now: number,
    holder: number,
    taken: Fiber.Fiber.Cache,
    label: string | undefined
  ): void {
    slot.state = "leased"
    slot.since = now
    slot.leasedAt = now
    slot.holder = holder
    slot.taken = taken
    slot.label = label
    this.leased++
    this.counts.leases++
    this.#alarm.arm(now + this.options.leakThreshold)
  }

  /** To the first in line, which goes on soon: it may be one of many, and all of them on this stack. */
  #hand(slot: Slot<A>, now: number): void {
    for (const waiter of this.waiters) {
      waiter.lease.slot = slot
      this.#lend(slot, now, waiter.holder, waiter.taken, waiter.label)
      return this.#answer(waiter, Effect.void)
    }
  }

  #answer(waiter: Waiter<A>, outcome: Effect.Effect<void, unknown>): void {
    this.waiters.delete(waiter)
    waiter.lease.waiter = undefined
    waiter.outcome = outcome as Effect.Effect<void>
    if (this.#woken.push(waiter) > 1) return
    this.options.dispatcher.scheduleTask(() => {
      for (const { outcome: known, resume } of this.#woken.splice(0)) resume?.(known!)
    }, 0)
  }

  /** Puts a connection that has come back, or was opened in vain, where the next one finds it. */
  #rest(slot: Slot<A>, now: number): void {
    slot.state = "idle"
    slot.since = now
    this.#idle.push(slot)
    this.#alarm.arm(Math.min(slot.expiresAt, now + this.options.idleTimeout))
    if (this.waiters.size > 0) this.pump()
  }

  /** A connection that was just opened or checked. */
  #fresh(slot: Slot<A>): void {
    const now = this.options.now()
    slot.epoch = this.#epoch
    if (this.closed || slot.retired) return this.#close(slot)
    if (this.waiters.size === 0) return this.#rest(slot, now)
    this.#hand(slot, now)
  }

  #takeFresh(now: number): Slot<A> | undefined {
    for (;;) {
      const slot = this.#idle[this.#idle.length - 1]
      if (slot === undefined) return undefined
      if (now < slot.expiresAt) return this.#isSuspect(slot, now) ? undefined : this.#idle.pop()
      this.#idle.pop()
      this.#close(slot)
    }
  }

  #isSuspect(slot: Slot<A>, now: number): boolean {
    const { validate, validateAfterIdle } = this.options
    return validate !== undefined && (slot.epoch !== this.#epoch || now - slot.since >= validateAfterIdle)
  }

  #isFatal(cause: Cause.Cause<unknown>, slot: Slot<A>): boolean {
    try {
      return this.options.isFatal?.(cause, slot.connection) === true
    } catch (error) {
      this.#say(reportFailure(Cause.die(error), `isFatal of pool ${this.options.name}`))
      return true
    }
  }

  #start<B, E2>(
    slot: Slot<A>,
    limit: number,
    work: Effect.Effect<B, E2>,
    ended: (exit: Exit.Exit<B, E2>) => void
  ): void {
    slot.since = this.options.now()
    slot.limitAt = slot.since + limit
    slot.overdue = false
    this.#alarm.arm(slot.limitAt)
    const job = this.#run(unbounded(work))
    slot.job = job
    job.addObserver((exit) => {
      // A validation that did not heed its interruption may end after the closing has begun.
      if (slot.job === job) slot.job = undefined
      ended(exit)
    })
  }

  #run<B, E2>(work: Effect.Effect<B, E2>): Fiber.Fiber<B, E2> {
    return this.#outside(() => Effect.runForkWith(this.options.context)(work))
  }

  #open(): void {
    const slot = new Slot<A>((ended) => {
      this.giveBack(slot, ended)
      return Effect.void
    })
    this.slots.add(slot)
    this.#working++
    this.#start(slot, this.options.acquireTimeout, Scope.provide(this.options.acquire, slot.scope), (exit) => {
      if (!slot.overdue) this.#working--
      if (Exit.isFailure(exit)) this.#notOpened(slot, exit)
      else {
        const { jitter, maxLifetime, now, random } = this.options
        this.counts.opened++
        slot.opened = exit as Exit.Success<A>
        slot.expiresAt = now() + maxLifetime * (1 - jitter * random())
        this.#fresh(slot)
      }
      this.pump()
    })
  }

  #notOpened(slot: Slot<A>, exit: Exit.Failure<A, E>): void {
    const { name, now } = this.options
    const interrupted = Cause.hasInterruptsOnly(exit.cause)
    if (!(interrupted && slot.retired)) {
      this.counts.failed++
      this.lastFailure = { cause: exit.cause, at: now() }
      const [first] = this.waiters
      // One that was interrupted at its limit is nobody's failure: who waited for it has the same limit.
      if (first !== undefined && !slot.overdue) this.#answer(first, exit)
      else {
        this.#retryAt = now() + retryDelay
        this.#alarm.arm(this.#retryAt)
        if (!interrupted) this.#say(reportFailure(exit.cause, `opening a connection of pool ${name}`))
      }
    }
    this.#close(slot, exit)
  }

  #check(slot: Slot<A>): void {
    const { validate, validateTimeout } = this.options
    slot.state = "checking"
    this.#working++
    const validation = Effect.suspend(() => validate!(slot.connection))
    this.#start(slot, validateTimeout, validation, (exit) => this.#checked(slot, exit))
  }

  #checked(slot: Slot<A>, exit: Exit.Exit<unknown, unknown>): void {
    // It was given up before.
    if (slot.state !== "checking") return
    this.#working--
    const message = `The validation did not end within ${rounded(this.options.validateTimeout)}`
    if (slot.overdue) this.#broken(slot, Cause.fail(new Cause.TimeoutError(message)))
    else if (Exit.isFailure(exit)) this.#broken(slot, exit.cause)
    else this.#fresh(slot)
    this.pump()
  }

  #broken(slot: Slot<A>, cause: Cause.Cause<unknown>): void {
    if (!slot.retired) {
      this.#epoch++
      this.counts.invalid++
      this.lastFailure = { cause, at: this.options.now() }
    }
    this.#close(slot, Exit.failCause(cause))
  }

  #close(slot: Slot<A>, exit: Exit.Exit<unknown, unknown> = Exit.void): void {
    slot.state = "closing"
    // One that was abandoned while it was being opened has no place any more.
    if (this.slots.has(slot)) this.closing++
    this.#start(slot, this.options.closeGrace, Scope.close(slot.scope, exit), (closed) => {
      this.counts.closed++
      if (Exit.isFailure(closed)) {
        this.#say(reportFailure(closed.cause, `closing a connection of pool ${this.options.name}`))
      }
      if (this.slots.has(slot)) this.#leave(slot)
    })
  }

  #leave(slot: Slot<A>): void {
    this.slots.delete(slot)
    if (slot.state === "closing") this.closing--
    this.pump()
    this.changed.notice()
  }

  // ---------------------------------------------------------------- what is due

  #ring(): number {
    const { idleTimeout, leakThreshold, min, now } = this.options
    const time = now()
    for (const waiter of this.waiters) {
      if (!isDue(waiter.deadline, time)) continue
      this.counts.timeouts++
      this.#answer(waiter, Effect.fail(waiter.onTimeout(time - waiter.since)))
    }
    for (const slot of this.slots) {
      if (slot.state === "leased") {
        if (!slot.reported && isDue(slot.since + leakThreshold, time)) this.#reportLeak(slot, time)
      } else if (slot.state === "idle") {
        const spare = isDue(slot.since + idleTimeout, time) && this.slots.size - this.closing > min
        if (!isDue(slot.expiresAt, time) && !spare) continue
        this.#idle.splice(this.#idle.indexOf(slot), 1)
        this.#close(slot)
      } else if (isDue(slot.limitAt, time) && !slot.overdue) {
        if (slot.state === "opening") this.#openingIsOverdue(slot)
        else if (slot.state === "checking") this.#checkIsOverdue(slot)
        else this.#leaveBehind(slot)
      }
    }
    this.pump()
    return this.#nextRing()
  }

  #nextRing(): number {
    const { idleTimeout, leakThreshold, max, min, now } = this.options
    const opensLater = this.slots.size - this.closing < min && this.slots.size < max && !this.closed
    let next = opensLater ? Math.max(this.#retryAt, now()) : Infinity
    for (const { deadline } of this.waiters) next = Math.min(next, deadline)
    for (const slot of this.slots) {
      if (slot.state === "leased") next = Math.min(next, slot.reported ? Infinity : slot.since + leakThreshold)
      else if (slot.state !== "idle") next = Math.min(next, slot.overdue ? Infinity : slot.limitAt)
      else {
        const spare = this.slots.size - this.closing > min ? slot.since + idleTimeout : Infinity
        next = Math.min(next, slot.expiresAt, spare)
      }
    }
    return next
  }

  #reportReturn(slot: Slot<A>, time: number): void {
    const after = rounded(time - slot.leasedAt)
    const what = `The connection of pool "${this.options.name}" that ${nameOf(slot)} held`
    slot.reported = false
    this.#say(Effect.logWarning(`${what} has come back after ${after}`))
  }

  #reportLeak(slot: Slot<A>, time: number): void {
    const { max, name } = this.options
    slot.reported = true
    this.counts.leaks++
    const holder = `${rounded(time - slot.leasedAt)} by ${nameOf(slot)}`
    this.#say(Effect.logWarning(
      `A connection of pool "${name}" has been held for ${holder}, and may be forgotten. ${this.leased} of ${max} are held`
    ))
  }

  #openingIsOverdue(slot: Slot<A>): void {
    const { acquireTimeout, name } = this.options
    slot.overdue = true
    this.#working--
    slot.job?.interruptUnsafe()
    const heeded = slot.state === "opening"
      ? ", does not heed its interruption and keeps its place"
      : " and was interrupted"
    this.#say(
      Effect.logWarning(`Opening a connection of pool "${name}" did not end within ${rounded(acquireTimeout)}${heeded}`)
    )
  }

  #checkIsOverdue(slot: Slot<A>): void {
    slot.overdue = true
    slot.job?.interruptUnsafe()
    // A connection whose validation cannot even be interrupted is closed under it.
    this.#checked(slot, Exit.void)
  }

  #leaveBehind(slot: Slot<A>): void {
    const { name, now } = this.options
    slot.overdue = true
    slot.job?.interruptUnsafe()
    if (!this.slots.has(slot)) return
    this.counts.abandoned++
    const what = slot.state === "opening" ? "Opening" : "Closing"
    const after = rounded(now() - slot.since)
    this.#say(Effect.logError(`${what} a connection of pool "${name}" did not end within ${after} and is left behind`))
    this.#leave(slot)
  }

  #say(saying: Effect.Effect<unknown>): void {
    sayNow(this.options.context, saying)
  }
}
