/**
 * A time budget that the fibers of a request share. All of them see the same remaining time, and none of them can extend it.
 *
 * **When to use**
 *
 * Use {@link within} where a request enters, and where a part of it must be shorter. Use {@link abandon} around work that may not
 * respond to interruption: a driver's call that cannot be cancelled, a finalizer of a library.
 *
 * **Details**
 *
 * The deadline is in the context of fibers, so children inherit it. A nested deadline is the earlier of the enclosing one and the
 * new one: a retry or a nested call never gets more time than the request has. Time is the monotonic time of the `Clock`.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { sitesOf } from "./internal/fibers/sitesOf.ts"
import { instrument } from "./internal/instruments.ts"
import { monotonic } from "./internal/monotonic.ts"
import { reportFailure, runDetached } from "./internal/reportFailure.ts"
import { rounded } from "./internal/rounded.ts"
import { wasAbandoned } from "./internal/wasAbandoned.ts"

/**
 * An effect did not end within its deadline. `label` names the deadline that passed, which may be an enclosing one; `budget` is
 * the time that deadline allowed, `elapsed` the time until the waiting ended. `orphaned` is true when the work itself is still
 * running, see {@link abandon}.
 *
 * @category errors
 */
export class DeadlineExceeded extends Data.TaggedError("DeadlineExceeded")<{
  readonly label: string
  readonly budget: Duration.Duration
  readonly elapsed: Duration.Duration
  readonly orphaned: boolean
}> {
  override get message(): string {
    const times = `${rounded(this.elapsed)} elapsed, budget ${rounded(this.budget)}`
    return this.orphaned
      ? `"${this.label}" exceeded its deadline: ${times}. It did not respond to interruption and still runs: see Deadline.orphans`
      : `"${this.label}" exceeded its deadline: ${times}`
  }
}

/**
 * Work that was abandoned because it did not respond to interruption, and that has not ended since.
 *
 * @category models
 */
export interface Orphan {
  readonly label: string
  /** The id of the fiber. */
  readonly fiber: number
  readonly site: FiberSite
  /** The time since the work began. */
  readonly age: Duration.Duration
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface DeadlineOptions {
  /** The attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** The time that the end of the layer waits for orphans before it reports the remaining ones and continues. Default 5 seconds. */
  readonly closeGrace?: Duration.Input | undefined
}

/**
 * Keeps a registry of the work that {@link abandon} abandoned.
 *
 * @category services
 */
export class Deadline extends Context.Service<Deadline, {
  /** Runs {@link abandon} with this registry. */
  readonly abandon: <A, E, R>(
    self: Effect.Effect<A, E, R>,
    duration: Duration.Input,
    label: string
  ) => Effect.Effect<A, E | DeadlineExceeded, R>
  /** Abandoned work that is still running. */
  readonly orphans: Effect.Effect<ReadonlyArray<Orphan>>
}>()("@fiberscope/core/Deadline") {
  static layer(options?: DeadlineOptions): Layer.Layer<Deadline> {
    return Layer.effect(Deadline, make(options))
  }

  static layerConfig(config: Config.Wrap<DeadlineOptions>): Layer.Layer<Deadline, Config.ConfigError> {
    return Layer.effect(Deadline, Effect.flatMap(Config.unwrap(config), make))
  }
}

interface Budget {
  readonly label: string
  /** Milliseconds of the monotonic clock. */
  readonly start: number
  readonly at: number
}

const CurrentBudget: Context.Reference<Budget | undefined> = Context.Reference<Budget | undefined>(
  "@fiberscope/core/Deadline/CurrentBudget",
  { defaultValue: () => undefined }
)

const now = (fiber: Fiber.Fiber<unknown, unknown>): number => monotonic(fiber.getRef(Clock.Clock))()

/** The earlier of the enclosing deadline and the requested one. */
const narrowed = (fiber: Fiber.Fiber<unknown, unknown>, ms: number, label: string | undefined): Budget | undefined => {
  const outer = fiber.getRef(CurrentBudget)
  const start = now(fiber)
  const at = start + Math.max(ms, 0)
  if (outer !== undefined && outer.at <= at) return outer
  if (!Number.isFinite(at)) return undefined
  return { label: label ?? fiber.cache.stackFrame?.name ?? "deadline", start, at }
}

const exceeded = (fiber: Fiber.Fiber<unknown, unknown>, { at, label, start }: Budget, orphaned: boolean) =>
  new DeadlineExceeded({
    label,
    budget: Duration.millis(at - start),
    elapsed: Duration.millis(now(fiber) - start),
    orphaned
  })

const bounded = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  budget: Budget | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<A, E | DeadlineExceeded, R> => {
  const provided = Effect.provideService(self, CurrentBudget, budget)
  if (budget === undefined) return provided
  const left = budget.at - now(fiber)
  if (left <= 0) return Effect.fail(exceeded(fiber, budget, false))
  return Effect.flatMap(
    Effect.raceFirst(Effect.asSome(provided), Effect.as(Effect.sleep(left), Option.none<A>())),
    (winner): Effect.Effect<A, DeadlineExceeded> =>
      Option.isSome(winner)
        ? Effect.succeed(winner.value)
        : Effect.withFiber((waiting) => Effect.fail(exceeded(waiting, budget, false)))
  )
}

/**
 * Limits the time of an effect, and interrupts it at the limit. A shorter enclosing deadline takes precedence.
 *
 * **Details**
 *
 * Fails with {@link DeadlineExceeded} once the effect and its finalizers have ended. When no time remains, the effect is not
 * started. `label` names the deadline in errors. Default: the name of the enclosing function (`Effect.fn`) or span.
 *
 * **Gotchas**
 *
 * As with `Effect.timeout`, uninterruptible work is waited for; {@link abandon} does not wait for it. As there, the effect runs
 * in a fiber of its own.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Deadline from "@fiberscope/core/Deadline"
 *
 * const query = Deadline.within(Effect.sleep("1 minute"), "5 seconds", "query")
 *
 * const program = Effect.gen(function*() {
 *   const error = yield* Effect.flip(Deadline.within(query, "20 millis", "request"))
 *   console.log(error.message) // "request" exceeded its deadline: …
 * })
 *
 * Effect.runFork(program)
 * ```
 *
 * @category combinators
 */
export const within: {
  (
    duration: Duration.Input,
    label?: string
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    duration: Duration.Input,
    label?: string
  ): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input, label?: string) =>
    Effect.withFiber<A, E | DeadlineExceeded, R>((fiber) =>
      bounded(self, narrowed(fiber, Duration.toMillis(duration), label), fiber)
    )
)

/**
 * Runs {@link within} with the time until an instant, in milliseconds of the Unix epoch: for a deadline that arrived in a
 * message.
 *
 * @category combinators
 */
export const at: {
  (time: number, label?: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, time: number, label?: string): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, time: number, label?: string) =>
    Effect.withFiber<A, E | DeadlineExceeded, R>((fiber) =>
      bounded(self, narrowed(fiber, time - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), label), fiber)
    )
)

/**
 * The remaining time: infinite without a deadline, never below zero.
 *
 * @category getters
 */
export const remaining: Effect.Effect<Duration.Duration> = Effect.withFiberSucceed((fiber) => {
  const budget = fiber.getRef(CurrentBudget)
  return budget === undefined ? Duration.infinity : Duration.millis(Math.max(budget.at - now(fiber), 0))
})

/**
 * Ends an effect some time before the enclosing deadline, and reserves that time for the work after it, such as notifying the
 * caller or recording progress. Without a deadline it changes nothing.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Deadline from "@fiberscope/core/Deadline"
 *
 * const work = Effect.never.pipe(
 *   Deadline.reserve("30 millis"),
 *   Effect.catchTag("DeadlineExceeded", () => Deadline.remaining)
 * )
 *
 * const program = Effect.gen(function*() {
 *   console.log(yield* Deadline.within(work, "50 millis")) // about 30 ms
 * })
 *
 * Effect.runFork(program)
 * ```
 *
 * @category combinators
 */
export const reserve: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input) =>
    Effect.withFiber<A, E | DeadlineExceeded, R>((fiber) => {
      const outer = fiber.getRef(CurrentBudget)
      if (outer === undefined) return self
      return bounded(self, { ...outer, at: outer.at - Duration.toMillis(duration) }, fiber)
    })
)

/**
 * Runs an effect as if there were no enclosing deadline. Use it for clean-up that needs its own time even after the deadline has
 * passed: `Deadline.unbounded(Deadline.within(rollback, "2 seconds"))`.
 *
 * **Gotchas**
 *
 * It changes the deadline that the effect sees, not interruption: the fiber that runs the effect may still be interrupted by an
 * enclosing deadline. Inside a finalizer, the right place for clean-up, it is not interrupted.
 *
 * @category combinators
 */
export const unbounded = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, CurrentBudget, undefined)

/**
 * A signal that aborts at the deadline, with {@link DeadlineExceeded} as its reason, or when the scope closes: for `fetch` and
 * other APIs that are not effects.
 *
 * @category getters
 */
export const signal: Effect.Effect<AbortSignal, never, Scope.Scope> = Effect.withFiber((fiber) => {
  const budget = fiber.getRef(CurrentBudget)
  if (budget === undefined) return Effect.abortSignal
  return Effect.map(
    Effect.tap(
      Effect.acquireRelease(
        Effect.sync(() => new AbortController()),
        (controller) => Effect.sync(() => controller.abort())
      ),
      (controller) => {
        const abort = Effect.withFiberSucceed((late) => controller.abort(exceeded(late, budget, false)))
        const left = budget.at - now(fiber)
        return left <= 0 ? abort : Effect.forkScoped(Effect.andThen(Effect.sleep(left), abort))
      }
    ),
    (controller) => controller.signal
  )
})

/**
 * Limits the time of an effect, like {@link within}, and continues after the limit even if the effect cannot be interrupted.
 *
 * **When to use**
 *
 * Use it around calls that you cannot make interruptible, in code that must continue: a request must be answered, a shutdown must
 * end.
 *
 * **Details**
 *
 * The abandoned work is interrupted, registered in {@link Deadline} until it ends, counted, and logged with its label and site:
 * once when it is abandoned and once when it ends. An interruption of the caller also waits for the work, but no longer than the
 * given time.
 *
 * **Gotchas**
 *
 * An orphan still holds its resources: connections, locks, memory. `fiberscope_deadline_orphans` should be zero.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Deadline from "@fiberscope/core/Deadline"
 *
 * const stubborn = Effect.uninterruptible(Effect.sleep("100 millis"))
 *
 * const program = Effect.gen(function*() {
 *   const error = yield* Effect.flip(Deadline.abandon(stubborn, "10 millis", "legacy driver"))
 *   console.log(error.orphaned) // true
 *   const { orphans } = yield* Deadline.Deadline
 *   console.log((yield* orphans).map(({ label }) => label)) // ["legacy driver"]
 * })
 *
 * Effect.runFork(Effect.provide(program, Deadline.Deadline.layer()))
 * ```
 *
 * @category combinators
 */
export const abandon: {
  (
    duration: Duration.Input,
    label: string
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R | Deadline>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    duration: Duration.Input,
    label: string
  ): Effect.Effect<A, E | DeadlineExceeded, R | Deadline>
} = dual(
  3,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input, label: string) =>
    Effect.flatMap(Deadline, (deadline) => deadline.abandon(self, duration, label))
)

interface Left {
  readonly label: string
  readonly capturedAt: Fiber.Fiber.Cache
  readonly start: number
}

/**
 * Makes the registry of orphans in a scope.
 *
 * @category constructors
 */
export const make = (options?: DeadlineOptions): Effect.Effect<Deadline["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const closeGrace = Duration.fromInputUnsafe(options?.closeGrace ?? "5 seconds")
    const orphans = new Map<Fiber.Fiber<unknown, unknown>, Left>()
    const counts = { abandoned: 0, exceeded: 0 }
    yield* instrument({
      module: "deadline",
      name: options?.name ?? "default",
      gauges: { orphans: () => orphans.size },
      counters: { abandoned: () => counts.abandoned, exceeded: () => counts.exceeded }
    })

    const list = Effect.withFiberSucceed((fiber): ReadonlyArray<Orphan> => {
      const entries = [...orphans]
      const sites = sitesOf(entries.map(([orphan, { capturedAt }]) => ({ fiber: orphan, capturedAt })))
      const time = now(fiber)
      return entries.map(([orphan, { label, start }], i) => ({
        label,
        fiber: orphan.id,
        site: sites[i]!,
        age: Duration.millis(time - start)
      }))
    })

    const leave = (orphan: Fiber.Fiber<unknown, unknown>, left: Left): Effect.Effect<void> =>
      Effect.withFiber((fiber) => {
        counts.abandoned++
        orphans.set(orphan, left)
        const { context } = fiber
        orphan.addObserver((exit) => {
          orphans.delete(orphan)
          const ended = Effect.withFiber((logging) =>
            Effect.logWarning(
              `"${left.label}", which was abandoned, ended after ${rounded(age(logging, left.start))}`
            )
          )
          runDetached(
            context,
            Exit.isFailure(exit) ? Effect.andThen(ended, reportFailure(exit.cause, left.label)) : ended
          )
        })
        const [site] = sitesOf([{ fiber: orphan, capturedAt: left.capturedAt }])
        return Effect.logWarning(
          `"${left.label}" ${wasAbandoned}, still running: ${renderSite(site!)}`
        )
      })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        if (orphans.size === 0) return Effect.void
        return Fiber.awaitAll([...orphans.keys()]).pipe(
          Effect.timeoutOption(closeGrace),
          Effect.flatMap((ended) => Option.isSome(ended) ? Effect.succeed([]) : list),
          Effect.flatMap((stuck) =>
            Effect.forEach(stuck, ({ label, site }) =>
              Effect.logError(`"${label}" is still running after its layer has ended: ${renderSite(site)}`))
          )
        )
      })
    )

    const abandonWith = <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input, label: string) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiber<A, E | DeadlineExceeded, R>((caller) => {
          const budget = narrowed(caller, Duration.toMillis(duration), label)
          if (budget !== undefined && budget.at <= now(caller)) {
            counts.exceeded++
            return Effect.fail(exceeded(caller, budget, false))
          }
          const start = now(caller)
          // The child must be forked uninterruptibly: otherwise an interruption between the fork and the wait would lose it.
          const child = Effect.runForkWith(Context.add(caller.context as Context.Context<R>, CurrentBudget, budget))(
            self
          )
          const ended = child.pollUnsafe()
          if (ended !== undefined) return ended
          const wait = Effect.suspend(() =>
            budget === undefined
              ? Effect.asSome(Fiber.await(child))
              : Effect.raceFirst(
                Effect.asSome(Fiber.await(child)),
                Effect.as(Effect.withFiber((waiting) => Effect.sleep(budget.at - now(waiting))), Option.none())
              )
          )
          const interrupt = Effect.sync(() => child.interruptUnsafe(caller.id))
          const leaveIfRunning = Effect.suspend(() =>
            child.pollUnsafe() === undefined
              ? Effect.as(leave(child, { label, capturedAt: caller.cache, start }), true)
              : Effect.succeed(false)
          )
          return Effect.flatMap(
            Effect.onInterrupt(restore(wait), () => Effect.andThen(interrupt, Effect.andThen(wait, leaveIfRunning))),
            (exit): Effect.Effect<A, E | DeadlineExceeded> =>
              Option.isSome(exit)
                ? exit.value
                : Effect.flatMap(Effect.andThen(interrupt, leaveIfRunning), (orphaned) =>
                  Effect.withFiber((waiting) => {
                    counts.exceeded++
                    return Effect.fail(exceeded(waiting, budget!, orphaned))
                  }))
          )
        })
      )

    return Deadline.of({ abandon: abandonWith, orphans: list })
  })

const age = (fiber: Fiber.Fiber<unknown, unknown>, start: number): Duration.Duration =>
  Duration.millis(now(fiber) - start)
