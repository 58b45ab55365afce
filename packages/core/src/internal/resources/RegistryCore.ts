/**
 * The resources of a registry, each with its release: one of them runs at a time, once, in a fiber of its own.
 *
 * | status      | entered by                 | next                                                    |
 * | ----------- | -------------------------- | ------------------------------------------------------- |
 * | `acquiring` | `register`                 | `open`; `closed`, when the acquisition fails            |
 * | `open`      | the end of the acquisition | `closing`, by `#begin`                                  |
 * | `closing`   | `#begin`                   | `closed`, by `#released`; `stuck`, by `#giveUp`         |
 * | `stuck`     | `#giveUp`                  | `closed`, when the release ends after all               |
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Deadline from "../../Deadline.ts"
import { renderSite } from "../../FiberSite.ts"
import { siteOf } from "../fibers/siteOf.ts"
import { isDue } from "../isDue.ts"
import { reportFailure, runDetached } from "../reportFailure.ts"
import { rounded } from "../rounded.ts"
import { wasAbandoned } from "../wasAbandoned.ts"
import { closingOrder } from "./closingOrder.ts"

/** A resource from the start of its acquisition to the end of its release. */
export interface Entry {
  readonly name: string
  readonly phase: number
  readonly after: ReadonlyArray<string>
  readonly closeTimeout: number
  readonly context: Context.Context<never>
  readonly owner: number
  readonly capturedAt: Fiber.Fiber.Cache
  /** Milliseconds of the monotonic clock, like all times here. */
  readonly since: number
  readonly ended: Latch.Latch
  status: "acquiring" | "open" | "closing" | "stuck" | "closed"
  release: ((exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown>) | undefined
  /** The time at which its closing was requested. */
  asked: number | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  interrupted: boolean
  outcome: "released" | "failed" | "timedOut" | "stuck" | undefined
  took: number
  cause: Cause.Cause<unknown> | undefined
}

/** A resource that is to be registered. */
export interface Registration<A, E, R, X, R2> {
  readonly name: string
  readonly acquire: Effect.Effect<A, E, R>
  readonly release: (resource: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, X, R2>
  readonly phase: number
  readonly after: ReadonlyArray<string>
  /** Milliseconds. */
  readonly closeTimeout: number
}

/** The share of a deadline in which the closing order is kept. */
const orderly = 0.8

export class RegistryCore<Closed> {
  readonly entries = new Set<Entry>()
  readonly counts = { stuck: 0, closed: 0, failed: 0, timedOut: 0 }
  readonly #now: () => number
  readonly #strategy: "sequential" | "parallel"
  readonly #refusal: (name: string) => Closed
  #isClosed = false

  /** `now` is in milliseconds of the monotonic clock; `refusal` is the error of a registration after the end. */
  constructor(now: () => number, strategy: "sequential" | "parallel", refusal: (name: string) => Closed) {
    this.#now = now
    this.#strategy = strategy
    this.#refusal = refusal
  }

  /** Acquires a resource, and releases it when the scope of the caller closes. */
  register<A, E, R, X, R2>(
    { acquire, after, closeTimeout, name, phase, release }: Registration<A, E, R, X, R2>
  ): Effect.Effect<A, E | Closed, R | R2 | Scope.Scope> {
    return Effect.uninterruptible(Effect.withFiber<A, E | Closed, R | R2 | Scope.Scope>((fiber) => {
      if (this.#isClosed) return Effect.fail(this.#refusal(name))
      const entry: Entry = {
        name,
        phase,
        after,
        closeTimeout,
        context: fiber.context,
        owner: fiber.id,
        capturedAt: fiber.cache,
        since: this.#now(),
        ended: Latch.makeUnsafe(),
        status: "acquiring",
        release: undefined,
        asked: undefined,
        fiber: undefined,
        interrupted: false,
        outcome: undefined,
        took: 0,
        cause: undefined
      }
      this.entries.add(entry)
      return Effect.onExitPrimitive(this.#acquired(entry, acquire, release), () => {
        if (entry.status === "acquiring") this.#end(entry)
        return undefined
      })
    }))
  }

  #acquired<A, E, R, X, R2>(
    entry: Entry,
    acquire: Effect.Effect<A, E, R>,
    onRelease: Registration<A, E, R, X, R2>["release"]
  ): Effect.Effect<A, E | Closed, R> {
    return Effect.flatMap(acquire, (resource): Effect.Effect<A, Closed> => {
      // All services of the release are in the context of the entry.
      entry.release = onRelease.bind(undefined, resource) as Entry["release"]
      entry.status = "open"
      if (this.#isClosed) {
        return Effect.andThen(this.#release(entry, Exit.void), Effect.fail(this.#refusal(entry.name)))
      }
      const finalizer = (exit: Exit.Exit<unknown, unknown>) => this.#release(entry, exit)
      return Effect.as(Scope.addFinalizerExit(Context.getUnsafe(entry.context, Scope.Scope), finalizer), resource)
    })
  }

  /** Closes everything within a time in milliseconds, in order for as long as possible. */
  closeAll(deadline: number): Effect.Effect<{ readonly closed: ReadonlyArray<Entry>; readonly elapsed: number }> {
    return Effect.gen({ self: this }, function*() {
      this.#isClosed = true
      const start = this.#now()
      const around = Duration.toMillis(yield* Deadline.remaining)
      const last = start + Math.min(deadline, around)
      const until = start + (last - start) * orderly
      const waves = closingOrder([...this.entries], this.#strategy)
      for (const wave of waves) {
        if (isDue(until, this.#now())) break
        for (const entry of wave) this.#begin(entry, Exit.void)
        yield* this.#settleAll(wave, until, last)
      }
      const closed = waves.flat()
      for (const entry of closed) this.#begin(entry, Exit.void)
      yield* this.#settleAll(closed, last, last)
      return { closed, elapsed: this.#now() - start }
    })
  }

  #end(entry: Entry): void {
    this.entries.delete(entry)
    entry.status = "closed"
    entry.ended.openUnsafe()
  }

  /** Begins the release, unless it has begun or the resource is still being acquired. */
  #begin(entry: Entry, exit: Exit.Exit<unknown, unknown>): void {
    if (entry.status === "acquiring") entry.asked ??= this.#now()
    if (entry.status !== "open") return
    entry.status = "closing"
    // The resource may have been given up while it was being acquired; its release still has its own time limit.
    entry.asked = this.#now()
    entry.outcome = undefined
    const release = Deadline.unbounded(Effect.suspend(() => entry.release!(exit)))
    entry.fiber = Effect.runForkWith(entry.context)(release)
    entry.fiber.addObserver((ended) => this.#released(entry, ended))
  }

  #released(entry: Entry, exit: Exit.Exit<unknown, unknown>): void {
    const { context, status } = entry
    entry.took = this.#now() - entry.asked!
    const took = rounded(entry.took)
    this.counts.closed++
    if (status === "stuck") {
      this.counts.stuck--
      runDetached(context, Effect.logWarning(`"${entry.name}", whose release was stuck, is closed after ${took}`))
    } else entry.outcome = Exit.isSuccess(exit) ? "released" : entry.interrupted ? "timedOut" : "failed"
    if (entry.outcome === "timedOut") {
      this.counts.timedOut++
      runDetached(
        context,
        Effect.logWarning(`The release of "${entry.name}" did not end within ${took} and was interrupted`)
      )
    }
    if (Exit.isFailure(exit) && !(entry.interrupted && Cause.hasInterruptsOnly(exit.cause))) {
      this.counts.failed++
      entry.cause = exit.cause
      runDetached(context, reportFailure(exit.cause, `the release of ${entry.name}`))
    }
    this.#end(entry)
  }

  #giveUp(entry: Entry): void {
    const { context, fiber } = entry
    if (entry.status === "closed" || entry.outcome === "stuck") return
    entry.interrupted = true
    fiber?.interruptUnsafe()
    // If that ended the fiber, its observer was called during the interruption above.
    if (isClosed(entry)) return
    entry.outcome = "stuck"
    entry.took = this.#now() - entry.asked!
    const took = rounded(entry.took)
    const site = renderSite(siteOf(entry.capturedAt))
    if (fiber === undefined) {
      return runDetached(
        context,
        Effect.logError(`"${entry.name}" is still being acquired after ${took}. It was registered by ${site}`)
      )
    }
    entry.status = "stuck"
    this.counts.stuck++
    runDetached(
      context,
      Effect.logError(
        `The release of "${entry.name}" did not end within ${took}, ${wasAbandoned}. `
          + `It was registered by ${site}`
      )
    )
  }

  #release(entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#begin(entry, exit)
      return isClosed(entry) ? Effect.void : this.#settle(entry, Infinity, Infinity)
    })
  }

  /** Waits for the end until a time, and then gives up if the resource's own limit or the final deadline has come. */
  #settle(entry: Entry, until: number, last: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (isClosed(entry)) return Effect.void
      const limit = entry.asked! + entry.closeTimeout
      const at = Math.min(limit, until)
      if (!isDue(at, this.#now())) {
        // Timers fire up to a millisecond early: check the time again.
        const sleep = Effect.sleep(at - this.#now())
        return Effect.andThen(Effect.raceFirst(entry.ended.await, sleep), this.#settle(entry, until, last))
      }
      return Effect.sync(() => {
        if (isDue(Math.min(limit, last), this.#now())) this.#giveUp(entry)
      })
    })
  }

  #settleAll(some: ReadonlyArray<Entry>, until: number, last: number): Effect.Effect<void> {
    return Effect.forEach(some, (entry) => this.#settle(entry, until, last), {
      concurrency: "unbounded",
      discard: true
    })
  }
}

/** A function call, because the status changes in a way that the compiler cannot see. */
const isClosed = ({ status }: Entry): boolean => status === "closed"
