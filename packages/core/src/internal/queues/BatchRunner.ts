/** The state behind a batch worker: queued items, batches in progress, and the results. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Schedule from "effect/Schedule"
import type { Deadline } from "../../Deadline.ts"
import { DeadlineExceeded } from "../../Deadline.ts"
import { monotonic } from "../monotonic.ts"
import { reportFailure, runDetached } from "../reportFailure.ts"
import { MailboxCore } from "./MailboxCore.ts"

/** An item from its acceptance until it is settled. */
export interface Entry<A> {
  readonly item: A
  /** The time of acceptance, on the clock of the worker. */
  readonly time: number
  /** The result of the item, for a fiber that waits for it. */
  settle: ((exit: Exit.Exit<void, Cause.Cause<unknown>>) => void) | undefined
}

/** A batch from its removal from the queue on. It is settled once: flushed, or given up. */
interface Batch<A> {
  readonly entries: Arr.NonEmptyReadonlyArray<Entry<A>>
  /** The number of its first item, in the order of acceptance. */
  readonly first: number
  flushed: boolean
  /** Whether a fiber is already settling it. */
  claimed: boolean
  settled: boolean
}

/** A call of the user's code that has not ended. */
export interface Call {
  readonly what: "flush" | "onGiveUp"
  readonly items: number
  readonly start: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export interface RunnerOptions<A, E> {
  readonly name: string
  readonly maxSize: number
  readonly maxWait: number
  readonly capacity: number
  readonly flush: (items: Arr.NonEmptyReadonlyArray<A>) => Effect.Effect<unknown, E>
  readonly retry: Schedule.Schedule<unknown, Cause.Cause<E | DeadlineExceeded>> | undefined
  readonly flushDeadline: Duration.Input
  readonly onGiveUp: (
    items: Arr.NonEmptyReadonlyArray<A>,
    cause: Cause.Cause<E | DeadlineExceeded>
  ) => Effect.Effect<unknown>
}

export class BatchRunner<A, E> {
  readonly options: RunnerOptions<A, E>
  readonly core: MailboxCore<Entry<A>>
  readonly counts = { flushes: 0, retries: 0, lost: 0 }
  /** Calls that have not ended, including those that were given up. */
  readonly calls = new Set<Call>()
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number
  readonly #context: Context.Context<never>
  readonly #deadline: Deadline["Service"]
  readonly #underWay = new Set<Batch<A>>()
  #taken = 0
  /** All items accepted up to this number are flushed without waiting for more. */
  #requested = 0

  constructor(options: RunnerOptions<A, E>, maker: Fiber.Fiber<unknown, unknown>, deadline: Deadline["Service"]) {
    this.options = options
    this.now = monotonic(maker.getRef(Clock.Clock))
    this.#context = maker.context
    this.#deadline = deadline
    // The queue itself drops nothing: senders wait, and items that are given up are passed to onGiveUp.
    const onDrop = () => {}
    this.core = new MailboxCore(
      { capacity: options.capacity, maxDeliveries: Infinity, onDrop },
      maker.currentDispatcher
    )
  }

  entry(item: A): Entry<A> {
    return { item, time: this.now(), settle: undefined }
  }

  /** Flushes batches until the queue is closed and empty. */
  readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const { core } = this
    const loop: Effect.Effect<void> = Effect.suspend(() => {
      if (core.hasEnded) return Effect.void
      if (core.size === 0) return Effect.flatMap(core.until(() => core.size > 0 || core.hasEnded), () => loop)
      const left = this.#due() ? 0 : core.next.time + this.options.maxWait - this.now()
      if (left > 0) {
        return Effect.flatMap(
          Effect.raceFirst(core.until(() => this.#due()), Effect.sleep(Duration.millis(left))),
          () => loop
        )
      }
      return Effect.flatMap(this.#flushNext, () => loop)
    })
    return loop
  })

  #due(): boolean {
    const { core, options } = this
    return core.size >= options.maxSize || core.closed || (core.size > 0 && this.#requested > this.#taken)
  }

  /** Handles one batch uninterruptibly, except for the user's code, so that a batch taken from the queue is always settled. */
  readonly #flushNext: Effect.Effect<void> = Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const batch = this.#take()
      if (batch === undefined) return Effect.void
      return Effect.flatMap(Effect.exit(restore(this.#attempts(batch))), (exit) =>
        batch.flushed || Exit.isSuccess(exit)
          ? Effect.sync(() => this.#settle(batch, Exit.void))
          : this.#giveUp(batch, exit.cause))
    })
  )

  #take(): Batch<A> | undefined {
    const entries = this.core.takeBatch(this.options.maxSize)
    if (!Arr.isReadonlyArrayNonEmpty(entries)) return undefined
    const batch: Batch<A> = {
      entries,
      first: this.#taken,
      flushed: false,
      claimed: false,
      settled: false
    }
    this.#taken += entries.length
    this.#underWay.add(batch)
    return batch
  }

  #attempts(batch: Batch<A>): Effect.Effect<void, E | DeadlineExceeded> {
    const { flush, flushDeadline, name, retry } = this.options
    const items = Arr.map(batch.entries, ({ item }) => item)
    let attempts = 0
    const once = this.#call("flush", items.length, () => {
      this.counts.flushes++
      if (attempts++ > 0) this.counts.retries++
      // The success is recorded inside the flush: the fiber that waits for it may be interrupted before it sees the result.
      return Effect.onExitPrimitive(flush(items), (exit) => {
        if (Exit.isFailure(exit)) return undefined
        batch.flushed = true
        return batch.claimed
          ? Effect.logWarning(`"${name}" flushed ${items.length} items after they had been given up`)
          : undefined
      })
    })
    const attempt = Effect.asVoid(this.#deadline.abandon(once, flushDeadline, `flush of ${name}`))
    if (retry === undefined) return attempt
    return Effect.sandbox(attempt).pipe(
      Effect.retry({ schedule: retry, while: (cause) => !batch.claimed && isRetryable(cause) }),
      Effect.catch(Effect.failCause)
    )
  }

  /** Runs the user's code, and tracks that it is running. */
  #call<B, E2>(what: Call["what"], items: number, run: () => Effect.Effect<B, E2>): Effect.Effect<B, E2> {
    return Effect.withFiber((fiber) => {
      const call: Call = { what, items, start: this.now(), fiber }
      this.calls.add(call)
      fiber.addObserver(() => this.calls.delete(call))
      return run()
    })
  }

  /** Passes a batch to `onGiveUp`, unless it is already settled. */
  #giveUp(batch: Batch<A>, cause: Cause.Cause<E | DeadlineExceeded>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const items = Arr.map(batch.entries, ({ item }) => item)
      const { flushDeadline, name, onGiveUp } = this.options
      if (batch.claimed) return Effect.void
      batch.claimed = true
      const end = Effect.sync(() => this.#settle(batch, Exit.fail(cause)))
      const handOver = this.#call("onGiveUp", items.length, () => onGiveUp(items, cause))
      return Effect.matchCauseEffect(this.#deadline.abandon(handOver, flushDeadline, `onGiveUp of ${name}`), {
        onSuccess: () => end,
        onFailure: (failure) => {
          // A drain that ran out of time may have counted the batch already.
          if (this.#settle(batch, Exit.fail(cause))) this.counts.lost += items.length
          return Effect.andThen(
            Effect.logError(`"${name}" lost ${items.length} items: neither flush nor onGiveUp succeeded`),
            reportFailure(failure, `onGiveUp of ${name}`)
          )
        }
      })
    })
  }

  #settle(batch: Batch<A>, exit: Exit.Exit<void, Cause.Cause<unknown>>): boolean {
    if (batch.settled) return false
    batch.claimed = true
    batch.settled = true
    this.#underWay.delete(batch)
    this.core.settleBatch(batch.entries.length, Exit.isSuccess(exit))
    for (const { settle } of batch.entries) {
      try {
        settle?.(exit)
      } catch (error) {
        runDetached(this.#context, reportFailure(Cause.die(error), `"${this.options.name}"`))
      }
    }
    return true
  }

  /** Flushes the items accepted until now, and waits until they are settled. */
  readonly flushNow: Effect.Effect<void> = Effect.suspend(() => {
    const { core } = this
    const target = core.counts.offered
    this.#requested = Math.max(this.#requested, target)
    core.notice()
    return core.until(() => {
      if (this.#taken < target) return false
      for (const { first } of this.#underWay) if (first < target) return false
      return true
    })
  })

  /** Waits until no batch is in progress. */
  readonly atRest: Effect.Effect<void> = Effect.suspend(() => this.core.until(() => this.core.owned === 0))

  /** Gives up all unsettled batches, including those that another fiber is flushing. */
  readonly giveUpRest: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      this.#unsettled(),
      (batch) =>
        batch.flushed
          ? Effect.sync(() => void this.#settle(batch, Exit.void))
          : this.#giveUp(batch, Cause.interrupt()),
      { discard: true, concurrency: "unbounded" }
    )
  )

  /** Settles the remaining batches as lost: there is no time left to pass them to `onGiveUp`. */
  readonly loseRest: Effect.Effect<void> = Effect.suspend(() => {
    this.core.close()
    let lost = 0
    for (const batch of this.#unsettled()) {
      const exit = batch.flushed ? Exit.void : Exit.fail(Cause.interrupt())
      if (this.#settle(batch, exit) && Exit.isFailure(exit)) lost += batch.entries.length
    }
    if (lost === 0) return Effect.void
    this.counts.lost += lost
    return Effect.logError(
      `"${this.options.name}" lost ${lost} items: there was no time to flush them or to pass them to onGiveUp`
    )
  })

  #unsettled(): ReadonlyArray<Batch<A>> {
    while (this.#take() !== undefined);
    return [...this.#underWay]
  }
}

/**
 * A defect is retried like a failure: a rollback on a broken connection causes one. An abandoned flush is not retried: it may
 * still succeed, and a second attempt would write the items twice.
 */
const isRetryable = (cause: Cause.Cause<unknown>): boolean =>
  !Cause.hasInterruptsOnly(cause)
  && !cause.reasons.some((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof DeadlineExceeded && reason.error.orphaned
  )
