/**
 * Collects items and flushes them in batches, and settles every accepted item, also during a shutdown.
 *
 * **When to use**
 *
 * Use it in front of an operation that is cheaper per item in large batches: inserts into a database, metrics, audit records,
 * mails.
 *
 * **Details**
 *
 * A batch is flushed when it has `maxSize` items, when its oldest item is `maxWait` old, or on request. Each accepted item is
 * either flushed or handed to `onGiveUp`, exactly once. This also holds when the scope closes, and when it closes in the middle
 * of a flush.
 *
 * **Gotchas**
 *
 * A flush that fails may still have taken effect, for example when the connection broke after the commit. If an item must not
 * arrive twice, make `flush` idempotent (`insert … on conflict do nothing`) and its writes one transaction.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { takePart } from "./GracefulShutdown.ts"
import { sitesOf } from "./internal/fibers/sitesOf.ts"
import { instrument } from "./internal/instruments.ts"
import type { Entry } from "./internal/queues/BatchRunner.ts"
import { BatchRunner } from "./internal/queues/BatchRunner.ts"
import { rounded } from "./internal/rounded.ts"

/**
 * How batches are formed, and how each one is handled.
 *
 * @category models
 */
export interface BatchWorkerOptions<A, E = never, R = never> {
  /** The name in errors and logs, and the attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** Writes a batch. Its success means that all items of the batch have arrived. */
  readonly flush: (items: Arr.NonEmptyReadonlyArray<A>) => Effect.Effect<unknown, E, R>
  /**
   * Receives, once, each batch that cannot be flushed: write the items elsewhere, or accept their loss. It has `flushDeadline`
   * for that.
   */
  readonly onGiveUp: (
    items: Arr.NonEmptyReadonlyArray<A>,
    cause: Cause.Cause<E | Deadline.DeadlineExceeded>
  ) => Effect.Effect<unknown, never, R>
  /** The maximum number of items in a batch. Default 100. */
  readonly maxSize?: number | undefined
  /** The maximum time that an item waits for others. Default 1 second. */
  readonly maxWait?: Duration.Input | undefined
  /** The maximum number of items that wait; beyond it, `offer` waits. Default ten times `maxSize`. */
  readonly capacity?: number | undefined
  /** The number of concurrent flushes. Default 1: batches arrive in order. */
  readonly concurrency?: number | undefined
  /** The schedule for retrying a flush that failed or died. A flush that was abandoned is not retried. Default: never. */
  readonly retry?: Schedule.Schedule<unknown, Cause.Cause<E | Deadline.DeadlineExceeded>> | undefined
  /** The time limit of one attempt. After it the attempt is interrupted, and abandoned if it does not respond. Default 5 seconds. */
  readonly flushDeadline?: Duration.Input | undefined
  /**
   * The time limit of the drain when the scope closes. Default 10 seconds. In a shutdown, the phase `flush` drains the worker
   * before that.
   */
  readonly drainDeadline?: Duration.Input | undefined
}

/**
 * The worker accepts no more items.
 *
 * @category errors
 */
export class BatchWorkerClosed extends Data.TaggedError("BatchWorkerClosed")<{ readonly name: string }> {
  override get message(): string {
    return `The batch worker "${this.name}" accepts no more items`
  }
}

/**
 * The batch of an item could not be flushed, and was handed to `onGiveUp`.
 *
 * @category errors
 */
export class BatchGaveUp extends Data.TaggedError("BatchGaveUp")<{
  readonly name: string
  readonly cause: Cause.Cause<unknown>
}> {
  override get message(): string {
    return `The batch worker "${this.name}" gave up a batch: ${Cause.pretty(this.cause)}`
  }
}

/**
 * A call of `flush` or `onGiveUp` that was still running when {@link BatchWorker} `drain` ended.
 *
 * @category models
 */
export interface StuckFlush {
  readonly what: "flush" | "onGiveUp"
  readonly items: number
  readonly age: Duration.Duration
  readonly fiber: number
  readonly site: FiberSite
}

/**
 * The results for the items that were not settled when `drain` began.
 *
 * @category models
 */
export interface DrainReport {
  readonly flushed: number
  readonly gaveUp: number
  readonly stuck: ReadonlyArray<StuckFlush>
  readonly elapsed: Duration.Duration
}

/**
 * The results for all items ever accepted. `lost` counts the given-up items for which `onGiveUp` failed too.
 *
 * @category models
 */
export interface BatchWorkerCounts {
  readonly accepted: number
  readonly flushed: number
  readonly gaveUp: number
  readonly lost: number
  readonly pending: number
}

/**
 * Takes items one at a time, and flushes them in batches.
 *
 * @category models
 */
export interface BatchWorker<in A> {
  /** Waits until the item is accepted. From then on the worker owns it, even if the caller is interrupted. */
  readonly offer: (item: A) => Effect.Effect<void, BatchWorkerClosed>
  /** Accepts an item from a callback, if there is room. */
  readonly offerUnsafe: (item: A) => boolean
  /** Waits until the item has been flushed. */
  readonly offerAwait: (item: A) => Effect.Effect<void, BatchWorkerClosed | BatchGaveUp>
  /** Flushes immediately everything accepted so far, and waits until it is settled. */
  readonly flushNow: Effect.Effect<void>
  /**
   * Accepts no more items, flushes the remaining ones, and ends by the deadline. Items that are not flushed shortly before it are
   * handed to `onGiveUp`. It never ends later than the enclosing `Deadline`. Default 10 seconds.
   */
  readonly drain: (options?: { readonly deadline?: Duration.Input | undefined }) => Effect.Effect<DrainReport>
  readonly counts: Effect.Effect<BatchWorkerCounts>
}

/**
 * Makes a worker that drains when the scope closes.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as BatchWorker from "@fiberscope/core/BatchWorker"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const worker = yield* BatchWorker.make<number>({
 *     flush: (items) => Effect.log(`insert ${items.length} rows`), // insert 3 rows
 *     onGiveUp: (items, cause) => Effect.logError(`${items.length} rows go to the disk`, cause)
 *   })
 *   yield* Effect.forEach([1, 2, 3], worker.offer)
 * }))
 *
 * Effect.runFork(program)
 * ```
 *
 * @category constructors
 */
export const make = <A, E = never, R = never>(
  options: BatchWorkerOptions<A, E, R>
): Effect.Effect<BatchWorker<A>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { maxSize = 100, name = "default" } = options
    const { capacity = maxSize * 10, concurrency = 1 } = options
    if (!(maxSize >= 1 && concurrency >= 1 && capacity >= maxSize)) {
      return yield* Effect.die(
        new RangeError(
          `The batch worker "${name}" needs maxSize >= 1, concurrency >= 1 and capacity >= maxSize: `
            + `${maxSize}, ${concurrency}, ${capacity}`
        )
      )
    }
    const context = yield* Effect.context<R>()
    const provided = <B, E2>(effect: Effect.Effect<B, E2, R>) => Effect.provideContext(effect, context)
    const deadline = yield* Deadline.make({ name: `batchworker ${name}`, closeGrace: 0 })
    const maker = yield* Effect.fiber
    const runner = new BatchRunner<A, E>(
      {
        name,
        maxSize,
        maxWait: Duration.toMillis(options.maxWait ?? "1 second"),
        capacity,
        flush: (items) => provided(options.flush(items)),
        retry: options.retry,
        flushDeadline: options.flushDeadline ?? "5 seconds",
        onGiveUp: (items, cause) => provided(options.onGiveUp(items, cause))
      },
      maker,
      deadline
    )
    const { core, counts } = runner
    const closed = Effect.fail(new BatchWorkerClosed({ name }))

    const accept = (entry: Entry<A>): Effect.Effect<void, BatchWorkerClosed> => {
      if (core.closed) return closed
      core.accept(entry)
      return Effect.void
    }

    const offerEntry = (entry: Entry<A>): Effect.Effect<void, BatchWorkerClosed> =>
      core.closed || core.hasRoom ? accept(entry) : core.senders.wait(() => accept(entry))

    const offer = (item: A) => Effect.suspend(() => offerEntry(runner.entry(item)))

    const offerUnsafe = (item: A): boolean => {
      if (core.closed || !core.hasRoom) return false
      core.accept(runner.entry(item))
      return true
    }

    const offerAwait = (item: A) =>
      Effect.suspend(() => {
        const entry = runner.entry(item)
        let settled: Exit.Exit<void, Cause.Cause<unknown>> | undefined
        entry.settle = (exit) => settled = exit
        const told = (exit: Exit.Exit<void, Cause.Cause<unknown>>): Effect.Effect<void, BatchGaveUp> =>
          Exit.match(exit, {
            onSuccess: () => Effect.void,
            onFailure: (cause) =>
              Effect.fail(new BatchGaveUp({ name, cause: Cause.squash(cause) as Cause.Cause<unknown> }))
          })
        return Effect.flatMap(offerEntry(entry), () =>
          Effect.callback<void, BatchGaveUp>((resume) => {
            if (settled !== undefined) return resume(told(settled))
            entry.settle = (exit) => resume(told(exit))
            return Effect.sync(() => void (entry.settle = undefined))
          }))
      })

    let workers: ReadonlyArray<Fiber.Fiber<void>> = []

    const drain = (how?: { readonly deadline?: Duration.Input | undefined }): Effect.Effect<DrainReport> =>
      Effect.suspend(() => {
        const began = runner.now()
        const before = { ...core.counts }
        const limit = Duration.toMillis(how?.deadline ?? "10 seconds")
        const report = Effect.sync((): DrainReport => {
          const now = runner.now()
          const calls = [...runner.calls]
          const sites = sitesOf(calls.map(({ fiber }) => ({ fiber, capturedAt: undefined })))
          return {
            flushed: core.counts.delivered - before.delivered,
            gaveUp: core.counts.dropped - before.dropped,
            stuck: calls.map(({ fiber, items, start, what }, i): StuckFlush => ({
              what,
              items,
              age: Duration.millis(now - start),
              fiber: fiber.id,
              site: sites[i]!
            })),
            elapsed: Duration.millis(now - began)
          }
        })
        const stages = Effect.gen(function*() {
          const left = Duration.toMillis(yield* Deadline.remaining)
          // Flushing gets most of the time. The rest is for handing unflushed items to `onGiveUp`.
          const reserve = Number.isFinite(left) ? Math.min(left * 0.4, 2000) : 0
          core.close()
          yield* Effect.ignore(Deadline.reserve(
            core.until(() => core.hasEnded),
            reserve
          ))
          if (core.hasEnded) return
          for (const worker of workers) worker.interruptUnsafe(maker.id)
          yield* Effect.ignore(Deadline.reserve(runner.atRest, reserve / 2))
          yield* Effect.uninterruptible(runner.giveUpRest)
        })
        return Effect.ignore(Deadline.within(stages, limit, `drain of ${name}`)).pipe(
          Effect.andThen(runner.loseRest),
          Effect.andThen(report)
        )
      })

    yield* instrument({
      module: "batchworker",
      name,
      gauges: { pending: () => core.size, inflight: () => core.owned, calls: () => runner.calls.size },
      counters: {
        accepted: () => core.counts.offered,
        flushed: () => core.counts.delivered,
        gaveup: () => core.counts.dropped,
        lost: () => counts.lost,
        flushes: () => counts.flushes,
        retries: () => counts.retries
      }
    })

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        workers = Array.from({ length: concurrency }, () =>
          Effect.runForkWith(maker.context)(Deadline.unbounded(runner.work)))
      }),
      () =>
        Effect.flatMap(
          Deadline.unbounded(drain({ deadline: options.drainDeadline ?? "10 seconds" })),
          ({ stuck }) =>
            Effect.forEach(stuck, ({ age, items, site, what }) => {
              const where = `${rounded(age)} (${renderSite(site)})`
              return Effect.logError(
                `"${name}" has ended, but ${what} of ${items} items is still running after ${where}`
              )
            }, { discard: true })
        )
    )

    yield* takePart(
      `batch worker ${name}`,
      Effect.flatMap(Deadline.remaining, (left) =>
        drain({ deadline: left })),
      { order: "flush" }
    )

    return {
      offer,
      offerUnsafe,
      offerAwait,
      flushNow: runner.flushNow,
      drain,
      counts: Effect.sync((): BatchWorkerCounts => ({
        accepted: core.counts.offered,
        flushed: core.counts.delivered,
        gaveUp: core.counts.dropped,
        lost: counts.lost,
        pending: core.size + core.owned
      }))
    }
  })

type Configured = "name" | "maxSize" | "maxWait" | "capacity" | "concurrency" | "flushDeadline" | "drainDeadline"

/**
 * The class of a batch worker that is a service: {@link Service} makes it.
 *
 * @category services
 */
export interface BatchWorkerClass<Self, Id extends string, A> extends Context.ServiceClass<Self, Id, BatchWorker<A>> {
  readonly layer: <E, R>(options: BatchWorkerOptions<A, E, R>) => Layer.Layer<Self, never, R>
  /** Options that cannot come from Config are passed separately. */
  readonly layerConfig: <E, R>(
    config: Config.Wrap<Pick<BatchWorkerOptions<A, E, R>, Configured>>,
    options: Omit<BatchWorkerOptions<A, E, R>, Configured>
  ) => Layer.Layer<Self, Config.ConfigError, R>
}

/**
 * Makes a service of a batch worker.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as BatchWorker from "@fiberscope/core/BatchWorker"
 *
 * class Audit extends BatchWorker.Service<Audit, string>()("app/Audit") {}
 *
 * const AuditLive = Audit.layer({
 *   flush: (lines) => Effect.log(lines.join(" / ")), // alice logged in / bob logged in
 *   onGiveUp: (lines) => Effect.logError("lost", lines)
 * })
 *
 * const program = Effect.gen(function*() {
 *   const audit = yield* Audit
 *   yield* audit.offer("alice logged in")
 *   yield* audit.offer("bob logged in")
 * })
 *
 * Effect.runFork(Effect.provide(program, AuditLive))
 * ```
 *
 * @category services
 */
export const Service = <Self, A>() => <const Id extends string>(id: Id): BatchWorkerClass<Self, Id, A> => {
  const Key = Context.Service<Self, BatchWorker<A>>()(id)
  return Object.assign(Key, {
    layer: <E, R>(options: BatchWorkerOptions<A, E, R>): Layer.Layer<Self, never, R> =>
      Layer.effect(Key, make(options)) as Layer.Layer<Self, never, R>,
    layerConfig: <E, R>(
      config: Config.Wrap<Pick<BatchWorkerOptions<A, E, R>, Configured>>,
      options: Omit<BatchWorkerOptions<A, E, R>, Configured>
    ): Layer.Layer<Self, Config.ConfigError, R> =>
      Layer.effect(
        Key,
        Effect.flatMap(
          Config.unwrap<Pick<BatchWorkerOptions<A, E, R>, Configured>>(config),
          (configured) => make<A, E, R>({ ...configured, ...options })
        )
      ) as Layer.Layer<Self, Config.ConfigError, R>
  })
}
