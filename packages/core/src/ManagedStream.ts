/**
 * Streams over async generators and Node's readable streams that always end: their resources are released, or a source that does
 * not end is reported.
 *
 * **When to use**
 *
 * Use it for generators and readable streams whose code you cannot guarantee: pages of an API, rows of a cursor, files,
 * responses.
 *
 * **Details**
 *
 * A stream is closed by the end of its scope, by {@link ManagedStream} `closeAll` or by the end of the layer, whichever comes
 * first. A generator then gets two requests to end: its signal is aborted, which ends its pending `await`, and `return()` is
 * called, which runs its `finally`. It has `returnTimeout` to end. After that it is abandoned, listed as stuck, and reported with
 * its label, its phase and the site that opened it. So the end of a scope takes no longer than `returnTimeout`.
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Readable } from "node:stream"
import * as Deadline from "./Deadline.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { takePart } from "./GracefulShutdown.ts"
import { siteOf } from "./internal/fibers/siteOf.ts"
import { instrument } from "./internal/instruments.ts"
import { monotonic } from "./internal/monotonic.ts"
import { renderClosed } from "./internal/renderClosed.ts"
import { reportFailure, runDetached } from "./internal/reportFailure.ts"
import { rounded } from "./internal/rounded.ts"
import { addFinalizerNow } from "./internal/scopeFinalizer.ts"
import { boundedPull } from "./internal/streams/boundedPull.ts"
import { readableChunks } from "./internal/streams/readableChunks.ts"
import type { Phase } from "./internal/streams/StreamSource.ts"
import { StreamSource } from "./internal/streams/StreamSource.ts"
import type { StreamEntry } from "./internal/streams/StreamTable.ts"
import { StreamTable } from "./internal/streams/StreamTable.ts"

/**
 * The phase of a generator that does not end: in an `await` before its next item, or in its `finally`. A readable stream that
 * does not close after its `destroy` counts as the latter.
 *
 * @category models
 */
export type { Phase } from "./internal/streams/StreamSource.ts"

/**
 * A stream whose generator has not ended. `open`: no fiber waits for an item; `pulling`: a fiber waits for one; `closing`: it was
 * requested to end; `stuck`: it has not ended in time.
 *
 * @category models
 */
export interface LiveStream {
  readonly label: string
  readonly status: "open" | "pulling" | "closing" | "stuck"
  /** The number of items taken from it. */
  readonly items: number
  readonly age: Duration.Duration
  /** The id of the fiber that opened it. */
  readonly owner: number
  readonly site: FiberSite
}

/**
 * The result of closing a stream. `failed`: it has ended, and its clean-up threw. `stuck`: it has not ended, and `phase` says
 * where it is.
 *
 * @category models
 */
export interface ClosedStream {
  readonly label: string
  readonly outcome: "closed" | "failed" | "stuck"
  readonly phase: Phase | undefined
  /** The time from the request to end until it ended or was abandoned. */
  readonly took: Duration.Duration
  readonly site: FiberSite
  /** The cause of the failure. */
  readonly cause: Cause.Cause<unknown> | undefined
}

/**
 * The streams that closed, and those that did not close in time.
 *
 * @category models
 */
export interface CloseReport {
  /** Oldest first. */
  readonly streams: ReadonlyArray<ClosedStream>
  readonly elapsed: Duration.Duration
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface ManagedStreamOptions {
  /** The attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** The maximum time for a generator to end. Default 5 seconds. */
  readonly returnTimeout?: Duration.Input | undefined
  /** The maximum time for the end of the layer. Default 10 seconds. In a shutdown, all streams are closed before the phase `resources`. */
  readonly closeDeadline?: Duration.Input | undefined
}

/**
 * The errors of a source, and its time limit to return.
 *
 * @category models
 */
export interface SourceOptions<E> {
  /** Converts a thrown value to the error of the stream. Default: {@link StreamFailed}. */
  readonly onError?: ((cause: unknown) => E) | undefined
  /** Default: that of the layer. */
  readonly returnTimeout?: Duration.Input | undefined
}

/**
 * Limits of a stream: its duration and its number of items.
 *
 * @category models
 */
export interface BoundedOptions {
  /** The name in the error. Default `"stream"`. */
  readonly label?: string | undefined
  /** The time, from the start of the stream, within which it must end. */
  readonly maxDuration?: Duration.Input | undefined
  /** The maximum number of items. */
  readonly maxItems?: number | undefined
}

/**
 * The generator, or the readable stream, threw an error.
 *
 * @category errors
 */
export class StreamFailed extends Data.TaggedError("StreamFailed")<{
  readonly label: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `The stream "${this.label}" failed: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * The stream was closed by the end of the service before it was complete: only a part of it was read.
 *
 * @category errors
 */
export class StreamClosed extends Data.TaggedError("StreamClosed")<{ readonly label: string }> {
  override get message(): string {
    return `The stream "${this.label}" was closed before its end. Stop its readers before closeAll is called`
  }
}

/**
 * A stream was requested to end and did not end in time. No effect fails with it: it is logged and given to the error reporters.
 *
 * @category errors
 */
export class StreamNotFinalized extends Data.TaggedError("StreamNotFinalized")<{
  readonly label: string
  readonly phase: Phase
  readonly waited: Duration.Duration
  readonly site: FiberSite
}> {
  override get message(): string {
    const why = this.phase === "await"
      ? "it waits for an operation that does not respond to its signal. Pass the signal on to what it awaits"
      : "its clean-up does not end. Give the operation that it awaits there a time limit"
    return `The stream "${this.label}" did not end within ${rounded(this.waited)} and was abandoned: ${why}. `
      + `It was opened by ${renderSite(this.site)}`
  }
}

/**
 * A stream was longer, or took longer, than {@link bounded} allows. The items before the limit were delivered.
 *
 * @category errors
 */
export class StreamExceeded extends Data.TaggedError("StreamExceeded")<{
  readonly label: string
  readonly limit: "maxDuration" | "maxItems"
  /** The number of delivered items. */
  readonly items: number
  readonly elapsed: Duration.Duration
}> {
  override get message(): string {
    const when = `after ${this.items} items and ${rounded(this.elapsed)}`
    return `The stream "${this.label}" exceeded its ${this.limit} ${when}. Raise it, or catch this error to use the items delivered so far`
  }
}

/**
 * Opens streams that close their source however they end, and lists the open ones.
 *
 * @category services
 */
export class ManagedStream extends Context.Service<ManagedStream, {
  /**
   * The items of an async generator, or of another async iterable, created again for each run of the stream.
   *
   * **Details**
   *
   * The signal is aborted when the stream is closed before its end: pass it on to the operations that the generator awaits. An
   * interrupted pull loses no item: the next pull gets the item that the generator was about to yield. An error that the
   * generator throws while it is closed, other than the abort itself, is logged and given to the error reporters.
   *
   * **Gotchas**
   *
   * In the `finally` of a closed generator the signal is already aborted: clean-up must not depend on it.
   *
   * Effect guards the pulls of `Stream.toPull`, of any stream, with a semaphore: an interruption during its release drops the
   * pulled item. `Channel.toPullScoped(stream.channel, scope)` has no semaphore.
   */
  readonly fromGenerator: <A, E = StreamFailed>(
    label: string,
    generator: (signal: AbortSignal) => AsyncIterable<A>,
    options?: SourceOptions<E>
  ) => Stream.Stream<A, E | StreamClosed>

  /**
   * The chunks of a Node readable stream, opened again for each run of the stream. However the stream ends, the signal is
   * aborted, the readable is destroyed, and the scope waits until the readable has closed: until then its file is open.
   *
   * **Gotchas**
   *
   * A readable that is also writable, such as a socket, is destroyed completely. You declare the type of the chunks.
   */
  readonly fromReadable: <A = Uint8Array, E = StreamFailed>(
    label: string,
    open: (signal: AbortSignal) => Readable,
    options?: SourceOptions<E>
  ) => Stream.Stream<A, E | StreamClosed>

  /** The streams whose generator has not ended, oldest first. */
  readonly live: Effect.Effect<ReadonlyArray<LiveStream>>

  /**
   * Closes all streams at once, and opens no further ones. Ends by the deadline, or by the enclosing one if that is earlier. A
   * fiber that still pulls fails with {@link StreamClosed}. Default 10 seconds.
   */
  readonly closeAll: (deadline?: Duration.Input) => Effect.Effect<CloseReport>
}>()("@fiberscope/core/ManagedStream") {
  static layer(options?: ManagedStreamOptions): Layer.Layer<ManagedStream> {
    return Layer.effect(ManagedStream, make(options))
  }

  static layerConfig(config: Config.Wrap<ManagedStreamOptions>): Layer.Layer<ManagedStream, Config.ConfigError> {
    return Layer.effect(ManagedStream, Effect.flatMap(Config.unwrap(config), make))
  }
}

/** After buffers are flushed, and before the resources that generators read from are closed. */
const order = 350

/**
 * Makes the service in a scope, and closes every stream when the scope closes.
 *
 * **Example**
 *
 * ```ts
 * import { ManagedStream } from "@fiberscope/core/ManagedStream"
 * import { Effect, Stream } from "effect"
 *
 * async function* ticks(signal: AbortSignal) {
 *   try {
 *     for (let n = 1; !signal.aborted; n++) yield n
 *   } finally {
 *     console.log("the generator has ended")
 *   }
 * }
 *
 * const program = Effect.gen(function*() {
 *   const streams = yield* ManagedStream
 *   const three = streams.fromGenerator("ticks", ticks).pipe(Stream.take(3))
 *   console.log(yield* Stream.runCollect(three)) // [1, 2, 3], after "the generator has ended"
 *   console.log(yield* streams.live) // []
 * })
 *
 * Effect.runFork(Effect.provide(program, ManagedStream.layer()))
 * ```
 *
 * @category constructors
 */
export const make = (
  options: ManagedStreamOptions = {}
): Effect.Effect<ManagedStream["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const maker = yield* Effect.fiber
    const clock = yield* Clock.Clock
    const now = monotonic(clock)
    const { closeDeadline = "10 seconds", name = "default" } = options
    const defaultTimeout = Duration.fromInputUnsafe(options.returnTimeout ?? "5 seconds")
    const table = new StreamTable(Effect.runForkWith(maker.context), now, { onFailure, onLate, onStuck })
    const { counts } = table
    yield* instrument({
      module: "streams",
      name,
      gauges: { live: () => table.size, stuck: () => counts.stuck },
      counters: {
        opened: () => counts.opened,
        failed: () => counts.failed,
        not_finalized: () => counts.notFinalized
      }
    })

    const open = <A, E>(
      label: string,
      iterate: (signal: AbortSignal) => AsyncIterable<A>,
      returnsAlways: boolean,
      sourceOptions: SourceOptions<E> = {}
    ): Stream.Stream<A, E | StreamClosed> => {
      const refusal = Effect.suspend(() => Effect.fail(new StreamClosed({ label })))
      // Without `onError`, E is StreamFailed.
      const onError = sourceOptions.onError ?? ((cause: unknown) => new StreamFailed({ label, cause }) as E)
      const returnTimeout = Duration.toMillis(sourceOptions.returnTimeout ?? defaultTimeout)
      return Stream.fromChannel(Channel.fromTransform((_, scope) =>
        Effect.withFiber((fiber) => {
          const source = new StreamSource<A, E, StreamClosed>({
            iterate,
            onError,
            closed: refusal,
            returnsAlways,
            onEnd: () => table.ended(entry)
          })
          const entry: StreamEntry = {
            label,
            source,
            fiber: fiber.id,
            context: fiber.context,
            capturedAt: fiber.cache,
            since: now(),
            returnTimeout,
            status: "live",
            asked: undefined,
            limit: Infinity,
            took: 0,
            over: undefined
          }
          const finalizer = () =>
            Effect.suspend(() => {
              table.ask(entry, now(), Infinity)
              return table.awaitOver(entry)
            })
          if (table.closed || !addFinalizerNow(scope, finalizer)) return refusal
          table.add(entry)
          source.start()
          return Effect.succeed(source.pull)
        })
      ))
    }

    const closeAll = (deadline: Duration.Input = "10 seconds"): Effect.Effect<CloseReport> =>
      Effect.flatMap(Deadline.remaining, (around) => {
        table.closed = true
        const start = now()
        const last = start + Math.min(Duration.toMillis(Duration.fromInputUnsafe(deadline)), Duration.toMillis(around))
        const { all } = table
        for (const entry of all) table.ask(entry, start, last)
        const report = Effect.sync((): CloseReport => ({
          streams: all.map(closedStream),
          elapsed: Duration.millis(now() - start)
        }))
        return Effect.andThen(Effect.forEach(all, (entry) => table.awaitOver(entry), { discard: true }), report)
      })

    yield* Effect.addFinalizer(() =>
      Effect.andThen(Deadline.unbounded(closeAll(closeDeadline)), Effect.sync(() => table.stop()))
    )
    yield* takePart(`streams ${name}`, Effect.flatMap(Deadline.remaining, closeAll), { order })

    return ManagedStream.of({
      fromGenerator: (label, generator, sourceOptions) => open(label, generator, false, sourceOptions),
      fromReadable: (label, readable, sourceOptions) =>
        open(label, (signal) => readableChunks(readable(signal)), true, sourceOptions),
      closeAll,
      live: Effect.sync(() =>
        table.all.map((entry): LiveStream => ({
          label: entry.label,
          status: statusOf(entry),
          items: entry.source.items,
          age: Duration.millis(now() - entry.since),
          owner: entry.fiber,
          site: siteOf(entry.capturedAt)
        }))
      )
    })
  })

const onFailure = ({ context, label }: StreamEntry, cause: Cause.Cause<unknown>): void =>
  runDetached(context, reportFailure(cause, `the end of the stream ${label}`))

const onLate = ({ context, label }: StreamEntry, took: number): void =>
  runDetached(context, Effect.logWarning(`The stream "${label}", which was stuck, has ended after ${rounded(took)}`))

const onStuck = ({ capturedAt, context, label, source, took }: StreamEntry): void => {
  const error = new StreamNotFinalized({
    label,
    phase: source.phase,
    waited: Duration.millis(took),
    site: siteOf(capturedAt)
  })
  runDetached(context, Effect.andThen(ErrorReporter.report(Cause.fail(error)), Effect.logError(error.message)))
}

const statusOf = ({ asked, source, status }: StreamEntry): LiveStream["status"] =>
  status === "stuck" ? "stuck" : asked !== undefined ? "closing" : source.isPulling ? "pulling" : "open"

const closedStream = ({ capturedAt, label, source, status, took }: StreamEntry): ClosedStream => {
  const isStuck = status === "stuck"
  return {
    label,
    outcome: isStuck ? "stuck" : source.failure === undefined ? "closed" : "failed",
    phase: isStuck ? source.phase : undefined,
    took: Duration.millis(took),
    site: siteOf(capturedAt),
    cause: source.failure
  }
}

/**
 * Renders a report: one line for each stream, with the phase in which it is stuck and the site that opened it.
 *
 * @category rendering
 */
export const render = ({ elapsed, streams }: CloseReport): string =>
  renderClosed(
    "stream",
    elapsed,
    streams.map(({ label, phase, site, ...closed }) => ({
      ...closed,
      name: label,
      where: phase === undefined ? undefined : ` in its ${phase}, opened by ${renderSite(site)}`
    }))
  )

/**
 * Fails a stream that has more items, or takes longer, than allowed. The items before that are delivered.
 *
 * **When to use**
 *
 * Use it for a stream from a third party, or from a generator that may never end. `Stream.take` ends a stream silently; this is
 * for lengths and durations that are errors.
 *
 * **Details**
 *
 * Time counts from the start of the run, and is checked while an item is awaited: a hanging generator is interrupted, a busy
 * consumer is not. To limit the consumer too, use `Deadline.within` around the run.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import * as ManagedStream from "@fiberscope/core/ManagedStream"
 *
 * const program = Stream.range(1, 1_000_000).pipe(
 *   ManagedStream.bounded({ label: "pages", maxItems: 3, maxDuration: "1 second" }),
 *   Stream.catchTag("StreamExceeded", ({ items }) => Stream.make(`and more than ${items}`)),
 *   Stream.runCollect,
 *   Effect.andThen(Effect.log) // [1, 2, 3, "and more than 3"]
 * )
 *
 * Effect.runFork(program)
 * ```
 *
 * @category combinators
 */
export const bounded: {
  (options: BoundedOptions): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | StreamExceeded, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, options: BoundedOptions): Stream.Stream<A, E | StreamExceeded, R>
} = dual(
  2,
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    { label = "stream", maxDuration = Duration.infinity, maxItems = Infinity }: BoundedOptions
  ): Stream.Stream<A, E | StreamExceeded, R> =>
    Stream.transformPull(self, (pull) =>
      boundedPull(
        pull,
        Duration.toMillis(maxDuration),
        maxItems,
        (limit, items, elapsed) => new StreamExceeded({ label, limit, items, elapsed: Duration.millis(elapsed) })
      ))
)
