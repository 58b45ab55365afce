/**
 * Listeners that belong to a scope: they are removed automatically, their buffers are bounded, and code that adds too many of
 * them is reported.
 *
 * **When to use**
 *
 * Use it where an effect listens to an object that lives longer than the effect: a socket, a bus, an `AbortSignal`, the process.
 *
 * **Details**
 *
 * It accepts Node's `EventEmitter` and the web's `EventTarget`; an object that is both is treated as the latter. If an
 * `AbortSignal` is already aborted, `"abort"` is delivered immediately instead of never.
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { FiberSite } from "./FiberSite.ts"
import { instrument } from "./internal/instruments.ts"
import { EventHandler } from "./internal/listeners/EventHandler.ts"
import type { Emitter, Listener, Target } from "./internal/listeners/eventTargets.ts"
import { isTarget, listen, nameOfTarget } from "./internal/listeners/eventTargets.ts"
import { ListenerTable } from "./internal/listeners/ListenerTable.ts"

export type { Emitter, Target } from "./internal/listeners/eventTargets.ts"

/**
 * The emitter emitted `"error"` while a fiber waited for another of its events.
 *
 * @category errors
 */
export class EmitterFailed extends Data.TaggedError("EmitterFailed")<{
  /** The class of the emitter. */
  readonly target: string
  /** The event that was awaited. */
  readonly event: string
  readonly cause: unknown
}> {
  override get message(): string {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.target} failed while "${this.event}" was listened to: ${reason}`
  }
}

/**
 * The listeners for one event of one target.
 *
 * @category models
 */
export interface ListenerCount {
  /** The class of the target. */
  readonly target: string
  readonly event: string
  readonly listeners: number
  /** The events dropped by the current listeners because a buffer was full. */
  readonly dropped: number
  /** The sites that added them, most listeners first. */
  readonly addedBy: ReadonlyArray<{ readonly site: FiberSite; readonly listeners: number }>
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface ListenersOptions {
  /** The attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** Warns when one event of one target has more listeners than this. Default 10, as in Node. */
  readonly warnAbove?: number | undefined
}

/**
 * The number of events that wait for a slow consumer, and which ones are dropped beyond that.
 *
 * @category models
 */
export interface BufferOptions {
  /** The maximum number of waiting events. Default 1024. */
  readonly buffer?: number | undefined
  /** The event to drop when the buffer is full: the oldest (`sliding`, the default) or the newest (`dropping`). */
  readonly overflow?: "sliding" | "dropping" | undefined
  /** For a target that is meant to have many listeners: the number above which a warning is logged. */
  readonly warnAbove?: number | undefined
}

/**
 * Options of `on`.
 *
 * @category models
 */
export interface OnOptions extends BufferOptions {
  /** The number of effects of the handler that may run concurrently. Default 1: one event after the other. */
  readonly concurrency?: number | "unbounded" | undefined
}

/**
 * Options of `once`.
 *
 * @category models
 */
export interface OnceOptions<A> {
  /** Makes the value from the arguments of the listener. Default: the first argument. */
  // Only the caller knows the arguments of an event.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly map?: ((...args: Array<any>) => A) | undefined
  readonly warnAbove?: number | undefined
}

/**
 * Options of `stream`.
 *
 * @category models
 */
export interface StreamOptions<A> extends BufferOptions, Pick<OnceOptions<A>, "map"> {
  /** Events that end the stream once what was buffered is consumed, such as `"close"`. */
  readonly until?: string | ReadonlyArray<string> | undefined
}

/**
 * Adds listeners to emitters and event targets, and removes them with their scope.
 *
 * @category services
 */
export class Listeners extends Context.Service<Listeners, {
  /**
   * Adds a listener until the scope closes.
   *
   * **Details**
   *
   * The handler is called with the arguments of the event. If it returns an effect, the effect starts synchronously, inside the
   * call of `emit`, unless `concurrency` of them are running: then it waits in a bounded buffer. Each effect has its own scope. A
   * failure is logged and given to the error reporters, and the next event is handled. At the end of the scope the listener is
   * removed, waiting events are dropped and running effects are interrupted.
   */
  readonly on: <R = never>(
    target: Emitter | Target,
    event: string | symbol,
    // Only the caller knows the arguments of an event.
    // oxlint-disable-next-line typescript/no-explicit-any
    handler: (...args: Array<any>) => Effect.Effect<unknown, unknown, R> | void,
    options?: OnOptions
  ) => Effect.Effect<void, never, Exclude<R, Scope.Scope> | Scope.Scope>

  /** Waits for an event. Fails if an emitter emits `"error"` in the meantime. */
  readonly once: {
    <A = unknown>(target: Target, event: string, options?: OnceOptions<A>): Effect.Effect<A>
    <A = unknown>(target: Emitter, event: string | symbol, options?: OnceOptions<A>): Effect.Effect<A, EmitterFailed>
  }

  /** The events as a stream. It listens while the stream runs. The stream fails if an emitter emits `"error"` in the meantime. */
  readonly stream: {
    <A = unknown>(target: Target, event: string, options?: StreamOptions<A>): Stream.Stream<A>
    <A = unknown>(target: Emitter, event: string | symbol, options?: StreamOptions<A>): Stream.Stream<A, EmitterFailed>
  }

  /** The listeners by target and event, most listeners first. Walks all of them: for people, not for metrics. */
  readonly counts: Effect.Effect<ReadonlyArray<ListenerCount>>
}>()("@fiberscope/core/Listeners") {
  static layer(options?: ListenersOptions): Layer.Layer<Listeners> {
    return Layer.effect(Listeners, make(options))
  }

  static layerConfig(config: Config.Wrap<ListenersOptions>): Layer.Layer<Listeners, Config.ConfigError> {
    return Layer.effect(Listeners, Effect.flatMap(Config.unwrap(config), make))
  }
}

/**
 * Makes the service in a scope.
 *
 * **Example**
 *
 * ```ts
 * import { Listeners } from "@fiberscope/core/Listeners"
 * import { Effect } from "effect"
 * import { EventEmitter } from "node:events"
 *
 * const bus = new EventEmitter()
 *
 * const request = Effect.fn("request")(function*() {
 *   const listeners = yield* Listeners
 *   yield* listeners.on(bus, "price", (price: number) => Effect.log(`a price of ${price}`))
 *   bus.emit("price", 42)
 * }, Effect.scoped)
 *
 * const program = Effect.gen(function*() {
 *   yield* request()
 *   console.log(bus.listenerCount("price")) // 0
 * })
 *
 * Effect.runFork(Effect.provide(program, Listeners.layer()))
 * ```
 *
 * @category constructors
 */
export const make = (options?: ListenersOptions): Effect.Effect<Listeners["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const table = new ListenerTable(options?.warnAbove ?? 10)
    const { counts } = table
    yield* instrument({
      module: "listeners",
      name: options?.name ?? "default",
      gauges: { active: () => counts.active, crowded: () => table.crowded() },
      counters: { added: () => counts.added, dropped: () => counts.dropped, failed: () => counts.failed }
    })

    const on: Listeners["Service"]["on"] = (target, event, handler, onOptions = {}) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.withFiberSucceed((fiber) => {
          const { buffer = defaultBuffer, concurrency = 1, overflow = "sliding" } = onOptions
          const listening = table.add(fiber, target, event, onOptions.warnAbove)
          const events = new EventHandler({
            label: `${nameOfTarget(target)} "${String(event)}"`,
            // All required services are in the context below.
            handle: handler as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown> | void,
            context: fiber.context,
            concurrency: concurrency === "unbounded" ? Infinity : concurrency,
            buffer,
            overflow,
            onDrop: () => table.drop(listening, buffer, overflow),
            onFailure: () => void counts.failed++
          })
          return { listening, events, remove: listen(target, event, events.emit) }
        }),
        ({ events, listening, remove }) =>
          Effect.suspend(() => {
            remove()
            table.remove(listening)
            return events.close
          })
      ))

    const once = <A>(target: Emitter | Target, event: string | symbol, onceOptions: OnceOptions<A> = {}) =>
      Effect.withFiber<A, EmitterFailed>((fiber) =>
        Effect.callback((resume) => {
          const listening = table.add(fiber, target, event, onceOptions.warnAbove)
          const listener = subscribe(target, event, {
            onEvent: (...args) => end(Effect.sync(() => value(onceOptions, args))),
            onFailure: (error) => end(Effect.fail(error)),
            onEnd: () => {}
          })
          let ended = false
          const remove = () => {
            listener.remove()
            table.remove(listening)
          }
          const end = (effect: Effect.Effect<A, EmitterFailed>) => {
            if (ended) return
            ended = true
            remove()
            resume(effect)
          }
          listener.begin()
          return Effect.sync(remove)
        })
      )

    const stream = <A>(target: Emitter | Target, event: string | symbol, streamOptions: StreamOptions<A> = {}) =>
      Stream.fromChannel(Channel.fromTransform((_, scope) =>
        Effect.uninterruptible(Effect.withFiber((fiber) => {
          const { buffer = defaultBuffer, overflow = "sliding", until = [] } = streamOptions
          return Effect.flatMap(
            Queue.make<A, EmitterFailed | Cause.Done>({ capacity: buffer, strategy: overflow }),
            (queue) => {
              const listening = table.add(fiber, target, event, streamOptions.warnAbove)
              const listener = subscribe(target, event, {
                onEvent: (...args) => {
                  if (Queue.isFullUnsafe(queue)) table.drop(listening, buffer, overflow)
                  try {
                    Queue.offerUnsafe(queue, value(streamOptions, args))
                  } catch (error) {
                    Queue.failCauseUnsafe(queue, Cause.die(error))
                  }
                },
                onFailure: (error) => void Queue.failCauseUnsafe(queue, Cause.fail(error)),
                onEnd: () => void Queue.endUnsafe(queue)
              }, until)
              const removal = Effect.sync(() => {
                listener.remove()
                table.remove(listening)
                Queue.shutdownUnsafe(queue)
              })
              return Effect.as(
                Effect.andThen(Scope.addFinalizer(scope, removal), Effect.sync(listener.begin)),
                Queue.takeAll(queue)
              )
            }
          )
        }))
      ))

    return Listeners.of({
      on,
      // Only an emitter can fail. The overloads express this; a single implementation of both cannot.
      once: once as Listeners["Service"]["once"],
      stream: stream as Listeners["Service"]["stream"],
      counts: Effect.sync(() => table.list())
    })
  })

const defaultBuffer = 1024

const value = <A>({ map }: OnceOptions<A>, args: ReadonlyArray<unknown>): A =>
  // Without `map`, the caller chooses the type of the first argument.
  map === undefined ? args[0] as A : map(...args)

interface Subscriber {
  readonly onEvent: (...args: ReadonlyArray<unknown>) => void
  readonly onFailure: (error: EmitterFailed) => void
  readonly onEnd: () => void
}

/** Listens to an event, and to the events that end the listening. Nothing is delivered after the removal, even if that happens first. */
const subscribe = (
  target: Emitter | Target,
  event: string | symbol,
  { onEnd, onEvent, onFailure }: Subscriber,
  until: string | ReadonlyArray<string> = []
) => {
  const removals: Array<() => void> = []
  let removed = false
  const remove = () => {
    removed = true
    for (const removal of removals.splice(0)) removal()
  }
  const add = (name: string | symbol, listener: Listener) => {
    removals.push(listen(target, name, listener))
    // The registration itself may have ended it.
    if (removed) remove()
  }
  const begin = () => {
    add(event, onEvent)
    for (const end of [until].flat()) add(end, onEnd)
    if (isTarget(target) || event === "error") return
    const failed = { target: nameOfTarget(target), event: String(event) }
    add("error", (cause) => onFailure(new EmitterFailed({ ...failed, cause })))
  }
  return { begin, remove }
}
