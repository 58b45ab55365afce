/**
 * Streams over async generators and Node's readable streams that always end: what they hold is given back, or it is said what is not.
 *
 * **When to use**
 *
 * Use it for generators and readables whose code is not yours to vouch for: pages of an API, rows of a cursor, files, responses.
 *
 * **Details**
 *
 * A stream is closed by the end of its scope, by {@link ManagedStream} `closeAll` or by the end of the layer, whichever comes first. A
 * generator is then asked twice: its signal is aborted, which ends what it awaits, and `return()` is called, which runs its `finally`. It
 * has `returnTimeout` for that. What has not ended then is left behind, listed as stuck, and reported with its label, its phase and who
 * opened it. So the end of a scope takes no longer than that.
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
import { renderClosed } from "./internal/renderClosed.ts"
import { reportFailure, sayNow } from "./internal/reportFailure.ts"
import { rounded } from "./internal/rounded.ts"
import { addFinalizerNow } from "./internal/scopeFinalizer.ts"
import { boundedPull } from "./internal/streams/boundedPull.ts"
import { readableChunks } from "./internal/streams/readableChunks.ts"
import type { Phase } from "./internal/streams/StreamSource.ts"
import { StreamSource } from "./internal/streams/StreamSource.ts"
import type { StreamEntry } from "./internal/streams/StreamTable.ts"
import { StreamTable } from "./internal/streams/StreamTable.ts"

/**
 * Where a generator is that does not end: in an `await` before its next item, or in its `finally`. A readable stream that does not close
 * after its `destroy` counts as the latter.
 *
 * @category models
 */
export type { Phase } from "./internal/streams/StreamSource.ts"

/**
 * A stream whose generator has not ended. `open`: nobody waits for an item; `pulling`: somebody does; `closing`: it was asked to end;
 * `stuck`: it has used up its time for that.
 *
 * @category models
 */
export interface LiveStream {
  readonly label: string
  readonly status: "open" | "pulling" | "closing" | "stuck"
  /** The items that were taken from it. */
  readonly items: number
  readonly age: Duration.Duration
  /** The id of the fiber that opened it. */
  readonly owner: number
  readonly site: FiberSite
}

/**
 * What became of a stream. `failed`: it has ended, and its clean-up threw. `stuck`: it has not ended, and `phase` says where it is.
 *
 * @category models
 */
export interface ClosedStream {
  readonly label: string
  readonly outcome: "closed" | "failed" | "stuck"
  readonly phase: Phase | undefined
  /** From when it was asked to end until it did, or was given up. */
  readonly took: Duration.Duration
  readonly site: FiberSite
  /** Why it failed. */
  readonly cause: Cause.Cause<unknown> | undefined
}

/**
 * The streams that were closed, and those that did not close in time.
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
  /** How long a generator may take to end. Default 5 seconds. */
  readonly returnTimeout?: Duration.Input | undefined
  /** How long the end of the layer may take. Default 10 seconds. In a shutdown, all is closed before its phase `resources`. */
  readonly closeDeadline?: Duration.Input | undefined
}

/**
 * The errors of a source, and how long it may take to return.
 *
 * @category models
 */
export interface SourceOptions<E> {
  /** Makes the error of the stream from what was thrown. Default: {@link StreamFailed}. */
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
  /** In the error. Default `"stream"`. */
  readonly label?: string | undefined
  /** The time in which the stream must have said that it is over, from its start. */
  readonly maxDuration?: Duration.Input | undefined
  /** The most items that it may have. */
  readonly maxItems?: number | undefined
}

/**
 * The generator, or the readable stream, threw.
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
 * The stream was closed by the end of the service before it was over: what was read of it is not all.
 *
 * @category errors
 */
export class StreamClosed extends Data.TaggedError("StreamClosed")<{ readonly label: string }> {
  override get message(): string {
    return `The stream "${this.label}" was closed before its end. Stop who reads it before closeAll is called`
  }
}

/**
 * A stream was asked to end and did not within its time. It fails nothing: it is logged and given to the error reporters.
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
      ? "it waits for something that does not heed its signal. Hand the signal on to what it awaits"
      : "its clean-up does not end. Give what it waits for there a limit"
    return `The stream "${this.label}" did not end within ${rounded(this.waited)} and is left behind: ${why}. `
      + `It was opened by ${renderSite(this.site)}`
  }
}

/**
 * A stream was longer, or took longer, than {@link bounded} allows. What came before was delivered.
 *
 * @category errors
 */
export class StreamExceeded extends Data.TaggedError("StreamExceeded")<{
  readonly label: string
  readonly limit: "maxDuration" | "maxItems"
  /** The items that were delivered. */
  readonly items: number
  readonly elapsed: Duration.Duration
}> {
  override get message(): string {
    const when = `after ${this.items} items and ${rounded(this.elapsed)}`
    return `The stream "${this.label}" exceeded its ${this.limit} ${when}. Raise it, or catch this error to do with what came`
  }
}

/**
 * Opens streams that close their source at every end, and knows which are open.
 *
 * @category services
 */
export class ManagedStream extends Context.Service<ManagedStream, {
  /**
   * The items of an async generator, or of anything that can be iterated like one, made anew each time that the stream is run.
   *
   * **Details**
   *
   * The signal is aborted when the stream is closed before its end: hand it on to whatever the generator awaits. A pull that is
   * interrupted loses nothing: the next one gets what the generator was about to yield. What the generator throws while it is closed,
   * other than the abortion itself, is logged and given to the error reporters.
   *
   * **Gotchas**
   *
   * In the `finally` of a generator that was closed the signal is aborted already: clean-up must not depend on it.
   *
   * Effect puts a semaphore around the pulls of `Stream.toPull`, of any stream: an interruption that comes while it is given back
   * drops what was pulled. `Channel.toPullScoped(stream.channel, scope)` has none.
   */
  readonly fromGenerator: <A, E = StreamFailed>(
    label: string,
    generator: (signal: AbortSignal) => AsyncIterable<A>,
    options?: SourceOptions<E>
  ) => Stream.Stream<A, E | StreamClosed>

  /**
   * The chunks of one of Node's readable streams, opened anew each time that the stream is run. At the end, whichever it is, the
   * signal is aborted, the readable is destroyed, and the scope waits until it has closed: until then its file is open.
   *
   * **Gotchas**
   *
   * Something that is both readable and writable, such as a socket, is destroyed altogether. The chunks are typed by you.
   */
  readonly fromReadable: <A = Uint8Array, E = StreamFailed>(
    label: string,
    open: (signal: AbortSignal) => Readable,
    options?: SourceOptions<E>
  ) => Stream.Stream<A, E | StreamClosed>

  /** The streams whose generator has not ended, oldest first. */
  readonly live: Effect.Effect<ReadonlyArray<LiveStream>>

  /**
   * Closes all streams at once, and opens none from now on. Ends by the deadline, or by the one around when that is earlier. Whoever
   * still pulls fails with {@link StreamClosed}. Default 10 seconds.
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

/** After what holds items is flushed, before that which generators read from is closed. */
const order = 350

/**
 * Makes the service in a scope, with whose end it closes every stream.
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
    const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
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
            taken: fiber.cache,
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
          site: siteOf(entry.taken)
        }))
      )
    })
  })

const onFailure = ({ context, label }: StreamEntry, cause: Cause.Cause<unknown>): void =>
  sayNow(context, reportFailure(cause, `the end of the stream ${label}`))

const onLate = ({ context, label }: StreamEntry, took: number): void =>
  sayNow(context, Effect.logWarning(`The stream "${label}", which was stuck, has ended after ${rounded(took)}`))

const onStuck = ({ context, label, source, taken, took }: StreamEntry): void => {
  const error = new StreamNotFinalized({
    label,
    phase: source.phase,
    waited: Duration.millis(took),
    site: siteOf(taken)
  })
  sayNow(context, Effect.andThen(ErrorReporter.report(Cause.fail(error)), Effect.logError(error.message)))
}

const statusOf = ({ asked, source, status }: StreamEntry): LiveStream["status"] =>
  status === "stuck" ? "stuck" : asked !== undefined ? "closing" : source.isPulling ? "pulling" : "open"

const closedStream = ({ label, source, status, taken, took }: StreamEntry): ClosedStream => {
  const isStuck = status === "stuck"
  return {
    label,
    outcome: isStuck ? "stuck" : source.failure === undefined ? "closed" : "failed",
    phase: isStuck ? source.phase : undefined,
    took: Duration.millis(took),
    site: siteOf(taken),
    cause: source.failure
  }
}

/**
 * Renders a report: one line for each stream, with where it is stuck and who opened it.
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
 * Fails a stream that has more items, or takes longer, than is meant: what came before has been delivered.
 *
 * **When to use**
 *
 * Use it where a stream comes from somebody else, or from a generator that could go on for ever. `Stream.take` ends a stream without a
 * word; this is for what should not happen.
 *
 * **Details**
 *
 * Time counts from when the stream is run, and is looked at whenever an item is waited for: a generator that hangs is interrupted, a
 * consumer that is busy is not. To limit that too, use `Deadline.within` around the run.
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
