/**
 * A bounded queue between fibers in which no item is lost, and no item is dropped silently.
 *
 * **When to use**
 *
 * Use it where one part of a program hands work to another and each item matters: between a socket and its handlers, in front of
 * a database, as the inbox of an actor.
 *
 * **Details**
 *
 * A received item is owned by its receiver until the handler has ended. If the handler fails or is interrupted, the item returns
 * to the head of the queue. `overflow` decides what happens when the mailbox is full, and each dropped item is passed to
 * `onDrop`, once. At any time `offered = delivered + dropped + owned + size`.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { takePart } from "./GracefulShutdown.ts"
import { instrument } from "./internal/instruments.ts"
import type { Delivery } from "./internal/queues/MailboxCore.ts"
import { emptyDelivery, MailboxCore } from "./internal/queues/MailboxCore.ts"
import { reportFailure, runDetached } from "./internal/reportFailure.ts"

/**
 * The reason why an item was dropped: the mailbox was full, it was merged with the next item, its handler failed `maxDeliveries`
 * times, or the mailbox was closed before it was delivered.
 *
 * @category models
 */
export type DropReason = "overflow" | "conflated" | "undeliverable" | "closed"

/**
 * The behaviour of `send` when the mailbox is full: wait; drop the item; drop the oldest item in the queue; fail; merge the
 * newest item in the queue with the one that is sent; wait for some time and then fail.
 *
 * @category models
 */
export type Overflow<A> =
  | "suspend"
  | "dropNewest"
  | "dropOldest"
  | "fail"
  | { readonly conflate: (queued: A, sent: A) => A }
  | { readonly waitUpTo: Duration.Input }

/**
 * The capacity of a mailbox, and the policy when it is full.
 *
 * @category models
 */
export interface MailboxOptions<A> {
  /** The name in errors and logs, and the attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** The maximum number of queued items. There is no default: how many may pile up is a decision. */
  readonly capacity: number
  /** Default `"suspend"`. */
  readonly overflow?: Overflow<A> | undefined
  /** Called once with each dropped item. Default: the 1st, 2nd, 4th, 8th, … drop is logged. */
  readonly onDrop?: ((item: A, reason: DropReason) => void) | undefined
  /** The treatment of an item whose handler did not succeed: deliver it again (default), or consider it finished. */
  readonly unfinished?: "redeliver" | "finish" | undefined
  /** The number of handler failures after which an item is dropped. Interruptions do not count. Default: never. */
  readonly maxDeliveries?: number | undefined
}

/**
 * The mailbox accepts no more items, or is closed and empty.
 *
 * @category errors
 */
export class MailboxClosed extends Data.TaggedError("MailboxClosed")<{ readonly name: string }> {
  override get message(): string {
    return `The mailbox "${this.name}" is closed`
  }
}

/**
 * The mailbox is full, and the `overflow` policy makes this an error.
 *
 * @category errors
 */
export class MailboxFull extends Data.TaggedError("MailboxFull")<{
  readonly name: string
  readonly capacity: number
}> {
  override get message(): string {
    return `The mailbox "${this.name}" is full: ${this.capacity} items are waiting. Slow down, or receive with more concurrency`
  }
}

/**
 * The results for all items ever offered.
 *
 * @category models
 */
export interface MailboxCounts {
  readonly offered: number
  readonly delivered: number
  readonly dropped: number
  /** Items that a receiver is working on. */
  readonly owned: number
  /** Items in the queue. */
  readonly size: number
  /** The number of times that an item returned to the queue. */
  readonly redelivered: number
}

/**
 * A bounded queue that counts each accepted, dropped and delivered item.
 *
 * @category models
 */
export interface Mailbox<in out A> {
  /** Sends an item; returns `false` if it was dropped immediately. */
  readonly send: (item: A) => Effect.Effect<boolean, MailboxClosed | MailboxFull>
  /** Sends from a callback. Never waits: `false` means that the item was not accepted. Unless it was dropped, the caller still owns it. */
  readonly sendUnsafe: (item: A) => boolean
  /** Waits for an item and passes it to `f`. The item is owned until `f` has ended. */
  readonly receive: <B, E, R>(f: (item: A) => Effect.Effect<B, E, R>) => Effect.Effect<B, E | MailboxClosed, R>
  /**
   * Passes items to `f` until the mailbox is closed and empty. When `f` fails, its item returns to the queue and the run ends
   * with the failure: run it again to continue.
   */
  readonly run: <E, R>(
    f: (item: A) => Effect.Effect<unknown, E, R>,
    options?: { readonly concurrency?: number | undefined }
  ) => Effect.Effect<void, E, R>
  /** Accepts no more items. Waiting senders fail; queued items are still delivered. */
  readonly close: Effect.Effect<void>
  /** Accepts no more items and drops the queued ones. Returns the number of dropped items. */
  readonly closeNow: Effect.Effect<number>
  /** Waits until no item is queued or owned. */
  readonly awaitDrained: Effect.Effect<void>
  readonly size: Effect.Effect<number>
  readonly counts: Effect.Effect<MailboxCounts>
}

/**
 * Makes a mailbox. When the scope closes, it drops the remaining items through `onDrop`. In the phase `work` of a shutdown it
 * closes and waits until it is drained, for at most 10 seconds.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Mailbox from "@fiberscope/core/Mailbox"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const mailbox = yield* Mailbox.make<number>({ capacity: 100 })
 *   yield* mailbox.send(1)
 *   yield* mailbox.send(2)
 *   yield* mailbox.close
 *   let sum = 0
 *   yield* mailbox.run((item) => Effect.sync(() => sum += item))
 *   console.log(sum) // 3
 * }))
 *
 * Effect.runFork(program)
 * ```
 *
 * @category constructors
 */
export const make = <A>(options: MailboxOptions<A>): Effect.Effect<Mailbox<A>, never, Scope.Scope> =>
  Effect.withFiber((maker) => {
    const { capacity, name = "default", overflow = "suspend" } = options
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      return Effect.die(
        new RangeError(`capacity of the mailbox "${name}" must be an integer of at least 1: ${capacity}`)
      )
    }
    const core = new MailboxCore<A>({
      capacity,
      maxDeliveries: options.maxDeliveries ?? Infinity,
      onDrop: options.onDrop === undefined
        ? logDrops(name, maker.context)
        : guarded(options.onDrop, name, maker.context)
    }, maker.currentDispatcher)
    const { counts, receivers, senders } = core

    const closed = Effect.fail(new MailboxClosed({ name }))
    const full = Effect.fail(new MailboxFull({ name, capacity }))
    const accepted = Effect.succeed(true)
    const dropped = Effect.succeed(false)

    const accept = (item: A): Effect.Effect<boolean, MailboxClosed> => {
      if (core.closed) return closed
      core.accept(item)
      return accepted
    }

    /** Handles an item for which there is no room. */
    const overflown: (item: A) => Effect.Effect<boolean, MailboxClosed | MailboxFull> = overflow === "suspend"
      ? (item) => senders.wait(() => accept(item))
      : overflow === "fail"
      ? () => full
      : overflow === "dropNewest"
      ? (item) => {
        core.refuse(item)
        return dropped
      }
      : overflow === "dropOldest"
      ? (item) => {
        core.slide(item)
        return accepted
      }
      : "conflate" in overflow
      ? (item) => {
        core.conflate(item, overflow.conflate)
        return accepted
      }
      : (item) => acceptWithin(item, overflow.waitUpTo)

    const acceptWithin = (item: A, duration: Duration.Input) =>
      Effect.suspend(() => {
        // The time may run out after the acceptance and before the fiber that waited for it continues.
        let result: Effect.Effect<boolean, MailboxClosed> | undefined
        const waiting = senders.wait(() => result = accept(item))
        return Effect.flatMap(
          Effect.timeoutOption(waiting, duration),
          (won): Effect.Effect<boolean, MailboxClosed | MailboxFull> => Option.isSome(won) ? accepted : result ?? full
        )
      })

    const send = (item: A) =>
      Effect.suspend((): Effect.Effect<boolean, MailboxClosed | MailboxFull> => {
        if (core.closed) return closed
        if (!core.hasRoom) return overflown(item)
        core.accept(item)
        return accepted
      })

    const sendUnsafe = (item: A): boolean => {
      if (core.closed) return false
      if (core.hasRoom) core.accept(item)
      else if (overflow === "dropOldest") core.slide(item)
      else if (typeof overflow === "object" && "conflate" in overflow) core.conflate(item, overflow.conflate)
      else {
        if (overflow === "dropNewest") core.refuse(item)
        return false
      }
      return true
    }

    const leave = (delivery: Delivery<A>, exit: Exit.Exit<unknown, unknown>): undefined => {
      if (!delivery.owned) return
      if (Exit.isSuccess(exit) || options.unfinished === "finish") core.finish(delivery)
      else core.giveBack(delivery, !Cause.hasInterruptsOnly(exit.cause))
    }

    /** Waits until it has taken an item, or there will never be one. */
    const waitForItem = (delivery: Delivery<A>): Effect.Effect<void> =>
      receivers.wait(() => {
        if (core.size > 0) core.take(delivery)
        return Effect.void
      })

    const receive = <B, E, R>(f: (item: A) => Effect.Effect<B, E, R>) =>
      Effect.suspend(() => {
        const delivery = emptyDelivery<A>()
        const handle = (): Effect.Effect<B, E | MailboxClosed, R> => delivery.owned ? f(delivery.item as A) : closed
        // The item is taken inside the effect whose exit returns it.
        return Effect.onExitPrimitive(
          Effect.suspend(() => {
            if (!core.hasItem) return Effect.flatMap(waitForItem(delivery), handle)
            core.take(delivery)
            return handle()
          }),
          (exit) => leave(delivery, exit)
        )
      })

    const worker = <E, R>(f: (item: A) => Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
      Effect.suspend(() => {
        const delivery = emptyDelivery<A>()
        const handle = (): Effect.Effect<void, E, R> =>
          delivery.owned ? Effect.flatMap(f(delivery.item as A), next) : Effect.void
        const step: Effect.Effect<void, E, R> = Effect.suspend(() => {
          if (!core.hasItem) return Effect.flatMap(waitForItem(delivery), handle)
          core.take(delivery)
          return handle()
        })
        const next = () => {
          core.finish(delivery)
          return step
        }
        return Effect.onExitPrimitive(step, (exit) => leave(delivery, exit))
      })

    const run = <E, R>(
      f: (item: A) => Effect.Effect<unknown, E, R>,
      { concurrency = 1 }: { readonly concurrency?: number | undefined } = {}
    ): Effect.Effect<void, E, R> =>
      concurrency === 1
        ? worker(f)
        : Effect.forEach(Array.from({ length: concurrency }), () => worker(f), { concurrency, discard: true })

    const drained = core.until(() => core.size === 0 && core.owned === 0)

    return Effect.as(
      Effect.andThen(
        instrument({
          module: "mailbox",
          name,
          gauges: { size: () => core.size, owned: () => core.owned, senders: () => senders.size },
          counters: {
            offered: () => counts.offered,
            delivered: () => counts.delivered,
            dropped: () => counts.dropped,
            redelivered: () => counts.redelivered
          }
        }),
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => void core.closeNow())),
          // There may be no receivers any more: then the remaining items are dropped with the scope, and the wait is short.
          takePart(`mailbox ${name}`, Effect.andThen(Effect.sync(() => core.close()), drained), {
            timeout: "10 seconds"
          })
        )
      ),
      {
        send,
        sendUnsafe,
        receive,
        run,
        close: Effect.sync(() => core.close()),
        closeNow: Effect.sync(() => core.closeNow()),
        awaitDrained: drained,
        size: Effect.sync(() => core.size),
        counts: Effect.sync((): MailboxCounts => ({ ...counts, owned: core.owned, size: core.size }))
      }
    )
  })

/** A dropped item has already left the queue: an exception of `onDrop` must not keep the other items in it. */
const guarded =
  <A>(onDrop: (item: A, reason: DropReason) => void, name: string, context: Context.Context<never>) =>
  (item: A, reason: DropReason): void => {
    try {
      onDrop(item, reason)
    } catch (error) {
      runDetached(context, reportFailure(Cause.die(error), `onDrop of the mailbox ${name}`))
    }
  }

/** Logs that items are dropped, without a line for each of them. */
const logDrops = (name: string, context: Context.Context<never>) => {
  let drops = 0
  return (_: unknown, reason: DropReason): void => {
    drops++
    if ((drops & (drops - 1)) !== 0) return
    const amount = drops === 1 ? "its first item" : `${drops} items so far`
    runDetached(context, Effect.logWarning(`The mailbox "${name}" has dropped ${amount} (${reason})`))
  }
}

/**
 * The class of a mailbox that is a service: {@link Service} makes it.
 *
 * @category services
 */
export interface MailboxClass<Self, Id extends string, A> extends Context.ServiceClass<Self, Id, Mailbox<A>> {
  readonly layer: (options: MailboxOptions<A>) => Layer.Layer<Self>
  /** Options that cannot come from Config are passed separately. */
  readonly layerConfig: (
    config: Config.Wrap<Pick<MailboxOptions<A>, "name" | "capacity" | "unfinished" | "maxDeliveries">>,
    options?: Pick<MailboxOptions<A>, "overflow" | "onDrop">
  ) => Layer.Layer<Self, Config.ConfigError>
}

/**
 * Makes a service of a mailbox.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Mailbox from "@fiberscope/core/Mailbox"
 *
 * class Jobs extends Mailbox.Service<Jobs, { readonly id: number }>()("app/Jobs") {}
 *
 * const program = Effect.gen(function*() {
 *   const jobs = yield* Jobs
 *   yield* jobs.send({ id: 1 })
 *   const id = yield* jobs.receive((job) => Effect.succeed(job.id))
 *   console.log(id) // 1
 * })
 *
 * Effect.runFork(Effect.provide(program, Jobs.layer({ capacity: 1000, overflow: { waitUpTo: "1 second" } })))
 * ```
 *
 * @category services
 */
export const Service = <Self, A>() => <const Id extends string>(id: Id): MailboxClass<Self, Id, A> => {
  const Key = Context.Service<Self, Mailbox<A>>()(id)
  const layer = (options: MailboxOptions<A>): Layer.Layer<Self> => Layer.effect(Key, make(options))
  return Object.assign(Key, {
    layer,
    layerConfig: (
      config: Config.Wrap<Pick<MailboxOptions<A>, "name" | "capacity" | "unfinished" | "maxDeliveries">>,
      options?: Pick<MailboxOptions<A>, "overflow" | "onDrop">
    ): Layer.Layer<Self, Config.ConfigError> =>
      Layer.effect(Key, Effect.flatMap(Config.unwrap(config), (configured) => make<A>({ ...configured, ...options })))
  })
}
