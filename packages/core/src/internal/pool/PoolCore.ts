/**
 * The slots of a pool, and the fibers that wait for one.
 *
 * A borrower without an idle connection waits in line. Connections are opened, validated and closed in fibers of the pool. A
 * connection is handed to the first waiter in one step with the bookkeeping, and is returned in one step wherever the borrower is
 * interrupted. A slot is occupied from before its connection is opened until after it is closed, so there are never more
 * connections than slots.
 *
 * | state of a slot | entered by            | next                        | by                                              |
 * | --------------- | --------------------- | --------------------------- | ----------------------------------------------- |
 * | `opening`       | `#open`               | `leased`, `idle`, `closing` | `#fresh`; `#notOpened` (an overdue one is left) |
 * | `idle`          | `#makeIdle`           | `leased`                    | `#hand`, `take`                                 |
 * |                 |                       | `checking`, `closing`       | `#check`; `retire`, `#ring` (expired), `shut`   |
 * | `checking`      | `#check` (validation) | `leased`, `idle`            | `#checked`                                      |
 * |                 |                       | `closing`                   | `#broken`, `#checkIsOverdue`                    |
 * | `leased`        | `#lend`               | `idle`, `leased`, `closing` | `giveBack`, `revoke`                            |
 * | `closing`       | `#close`              | the slot is removed         | `#leave`                                        |
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
import { reportFailure, runDetached } from "../reportFailure.ts"
import { rounded } from "../rounded.ts"
import { wasAbandoned } from "../wasAbandoned.ts"
import type { Lease, PoolCoreOptions, Waiter } from "./parts.ts"
import { nameOf, Slot } from "./parts.ts"

/** The time, in milliseconds, before a pool tries again to open a connection that it keeps ready. */
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
  // The connection that was used last is on top, so that surplus connections stay idle and expire.
  readonly #idle: Array<Slot<A>> = []
  readonly #alarm: Alarm
  readonly #woken: Array<Waiter<A>> = []
  /** Fibers of the pool must not run in the async context of the request that caused them: a socket would retain that context. */
  readonly #outside = AsyncLocalStorage.snapshot()
  #pumping = false
  /** The number of slots that are being opened or validated for a waiter. */
  #working = 0
  /** The number of times that a connection turned out to be broken. A connection validated in an earlier epoch is suspect. */
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

  /** Whether the maximum number of fibers is waiting, not counting those for which there is a connection or a free slot. */
  get isFull(): boolean {
    const { max, maxWaiters } = this.options
    return this.waiters.size >= maxWaiters + this.#idle.length + this.#working + max - this.slots.size
  }

  // ---------------------------------------------------------------- borrowing

  /** Takes an idle connection, unless other fibers are waiting. The caller must {@link giveBack} it. */
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

  /** Waits in line. The caller must {@link end} the lease in every case. */
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
      capturedAt: fiber.cache,
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

  /** Returns the connection of a lease that waited, or leaves the line. The second call has no effect. */
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
    // The connection was revoked in the meantime.
    if (slot.state !== "leased") return
    this.leased--
    slot.capturedAt = undefined
    slot.label = undefined
    const fatal = exit._tag === "Failure" && this.#isFatal(exit.cause, slot)
    if (fatal) this.#epoch++
    if (fatal || slot.retired || this.closed || now >= slot.expiresAt) this.#close(slot, exit)
    else this.#makeIdle(slot, now)
  }

  /** Removes a connection from the pool, immediately or when it is returned. */
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

  /** Hands idle connections to waiters, and opens and validates connections for the others. */
  pump(): void {
    // An opening or a validation may end synchronously; the loop below then still sees its result.
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

  /** Refuses all further requests, and closes connections that are not in use. */
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

  /** Closes leased connections, and connections whose validation has not responded to interruption. */
  revoke(): void {
    for (const slot of this.slots) {
      if (slot.state === "checking") this.#checkIsOverdue(slot)
      if (slot.state !== "leased") continue
      this.leased--
      // Makes the return of the connection be logged.
      slot.reported = true
      this.#close(slot)
    }
  }

  /** Stops tracking operations that have not finished. */
  abandon(): void {
    for (const slot of this.slots) this.#abandon(slot)
    this.#alarm.stop()
  }

  #lend(
    slot: Slot<A>,
    now: number,
    holder: number,
    capturedAt: Fiber.Fiber.Cache,
    label: string | undefined
  ): void {
    slot.state = "leased"
    slot.since = now
    slot.leasedAt = now
    slot.holder = holder
    slot.capturedAt = capturedAt
    slot.label = label
    this.leased++
    this.counts.leases++
    this.#alarm.arm(now + this.options.leakThreshold)
  }

  /** Hands a connection to the first waiter, which resumes in a later task: one stack must not run all waiters. */
  #hand(slot: Slot<A>, now: number): void {
    for (const waiter of this.waiters) {
      waiter.lease.slot = slot
      this.#lend(slot, now, waiter.holder, waiter.capturedAt, waiter.label)
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

  /** Makes a returned or unneeded connection available to the next borrower. */
  #makeIdle(slot: Slot<A>, now: number): void {
    slot.state = "idle"
    slot.since = now
    this.#idle.push(slot)
    this.#alarm.arm(Math.min(slot.expiresAt, now + this.options.idleTimeout))
    if (this.waiters.size > 0) this.pump()
  }

  /** Handles a connection that was just opened or validated. */
  #fresh(slot: Slot<A>): void {
    const now = this.options.now()
    slot.epoch = this.#epoch
    if (this.closed || slot.retired) return this.#close(slot)
    if (this.waiters.size === 0) return this.#makeIdle(slot, now)
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
      this.#log(reportFailure(Cause.die(error), `isFatal of pool ${this.options.name}`))
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
      // A validation that did not respond to interruption may end after the closing has begun.
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
      // An opening that was interrupted at its limit fails no waiter: a waiter has the same limit of its own.
      if (first !== undefined && !slot.overdue) this.#answer(first, exit)
      else {
        this.#retryAt = now() + retryDelay
        this.#alarm.arm(this.#retryAt)
        if (!interrupted) this.#log(reportFailure(exit.cause, `opening a connection of pool ${name}`))
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
    // The validation was given up before.
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
    // A slot that was abandoned while it was being opened is no longer in the pool.
    if (this.slots.has(slot)) this.closing++
    this.#start(slot, this.options.closeGrace, Scope.close(slot.scope, exit), (closed) => {
      this.counts.closed++
      if (Exit.isFailure(closed)) {
        this.#log(reportFailure(closed.cause, `closing a connection of pool ${this.options.name}`))
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
        else this.#abandon(slot)
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
    this.#log(Effect.logWarning(`${what} has come back after ${after}`))
  }

  #reportLeak(slot: Slot<A>, time: number): void {
    const { max, name } = this.options
    slot.reported = true
    this.counts.leaks++
    const holder = `${rounded(time - slot.leasedAt)} by ${nameOf(slot)}`
    this.#log(Effect.logWarning(
      `A connection of pool "${name}" has been held for ${holder}, and may be forgotten. ${this.leased} of ${max} are held`
    ))
  }

  #openingIsOverdue(slot: Slot<A>): void {
    const { acquireTimeout, name } = this.options
    slot.overdue = true
    this.#working--
    slot.job?.interruptUnsafe()
    const outcome = slot.state === "opening"
      ? ", does not respond to interruption and keeps its place"
      : " and was interrupted"
    this.#log(
      Effect.logWarning(
        `Opening a connection of pool "${name}" did not end within ${rounded(acquireTimeout)}${outcome}`
      )
    )
  }

  #checkIsOverdue(slot: Slot<A>): void {
    slot.overdue = true
    slot.job?.interruptUnsafe()
    // A connection is closed even if its validation does not respond to interruption.
    this.#checked(slot, Exit.void)
  }

  #abandon(slot: Slot<A>): void {
    const { name, now } = this.options
    slot.overdue = true
    slot.job?.interruptUnsafe()
    if (!this.slots.has(slot)) return
    this.counts.abandoned++
    const what = slot.state === "opening" ? "Opening" : "Closing"
    const after = rounded(now() - slot.since)
    this.#log(Effect.logError(`${what} a connection of pool "${name}" did not end within ${after}, ${wasAbandoned}`))
    this.#leave(slot)
  }

  #log(effect: Effect.Effect<unknown>): void {
    runDetached(this.options.context, effect)
  }
}
