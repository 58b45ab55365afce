/**
 * Laws for any resource, pool or queue, which must hold whenever a fiber is interrupted.
 *
 * **When to use**
 *
 * Use it on your own implementation: a law is a name and a check, so every test runner can run it.
 *
 * **Details**
 *
 * Each check is an exploration of {@link "InterruptLab"}: at every point, for several orders of tasks, on virtual time. `make` is
 * called once per run, and its result must not be shared between runs.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, Pool } from "effect"
 * import { Laws } from "@fiberscope/core/testing"
 *
 * const laws = Laws.pool(({ acquire, size }) =>
 *   Effect.map(Pool.make({ acquire, size }), (pool) => ({ use: (f) => Pool.use(pool, f) }))
 * )
 *
 * for (const { check, name } of laws) it.effect(`a pool ${name}`, () => check)
 * ```
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ExploreOptions } from "./InterruptLab.ts"
import * as InterruptLab from "./InterruptLab.ts"
import type { Report } from "./LabReport.ts"
import type { InjectedFailure, Lease, Ledger } from "./Ledger.ts"

/**
 * A property that must hold: `name` continues the name of the thing under test, `check` fails when the property does not hold.
 *
 * @category models
 */
export interface Law {
  readonly name: string
  readonly check: Effect.Effect<
    Report,
    InterruptLab.NotInterruptSafe | InterruptLab.NotDeterministic | InterruptLab.LabIsBlind
  >
}

type Program = (ledger: Ledger) => Effect.Effect<unknown, unknown, Scope.Scope>

const orders = { order: "random", orders: 5 } as const

const law = (name: string, program: Program, options: ExploreOptions | undefined, own: ExploreOptions = {}): Law => ({
  name,
  check: InterruptLab.verify(program, { ...own, ...options })
})

/**
 * The laws of a resource that is open as long as a scope: `make` opens it, using resources of the ledger.
 *
 * @category laws
 */
export const resource = <E>(
  make: (ledger: Ledger) => Effect.Effect<unknown, E, Scope.Scope>,
  options?: ExploreOptions
): ReadonlyArray<Law> => {
  const used: Program = (ledger) => Effect.scoped(Effect.andThen(make(ledger), Effect.sleep("1 second")))
  const shared: Program = (ledger) => InterruptLab.subject(Effect.scoped(make(ledger)), { again: true })
  return [
    law("closes what it has opened, once", used, options),
    law("closes what it has opened in any order of tasks", used, options, orders),
    law("opens again after it was interrupted", shared, options),
    law("closes the rest when an acquisition fails", used, options, { inject: ["failingAcquire"] }),
    law("closes the rest when a release dies", used, options, { inject: ["dyingRelease"] }),
    law("closes all when a release is slow", used, options, { inject: ["slowRelease"] })
  ]
}

/**
 * The pool under test: `use` gives an item to one user at a time.
 *
 * @category models
 */
export interface PoolUnderTest {
  readonly use: <A, E, R>(f: (item: Lease) => Effect.Effect<A, E, R>) => Effect.Effect<A, unknown, R>
}

/**
 * The laws of a pool: `make` makes one of `size` items, each of which `acquire` opens for as long as its scope.
 *
 * @category laws
 */
export const pool = <E>(
  make: (pool: {
    readonly acquire: Effect.Effect<Lease, InjectedFailure, Scope.Scope>
    readonly size: number
  }) => Effect.Effect<PoolUnderTest, E, Scope.Scope>,
  options?: ExploreOptions
): ReadonlyArray<Law> => {
  const users = [1, 2, 3, 4]
  /** Runs `body` with a checked pool, and with an effect that uses one item of it. */
  const over = (
    size: number,
    body: (user: Effect.Effect<void, unknown>) => Effect.Effect<unknown, unknown>
  ): Program =>
  (ledger) =>
    Effect.scoped(Effect.gen(function*() {
      const inUse = new Set<Lease>()
      let twice = false
      ledger.always(`open items: at most ${size}`, () => ledger.held.length <= size)
      ledger.always("an item has one user at a time", () => !twice)
      const { use } = yield* make({ acquire: ledger.resource("item", { opens: 3, closes: 2 }), size })
      const user = use((item) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            twice ||= inUse.has(item)
            inUse.add(item)
            ledger.use(item)
          }),
          () => Effect.sleep(5),
          () => Effect.sync(() => inUse.delete(item))
        )
      )
      yield* body(user)
    }))
  const all = over(2, (user) => Effect.forEach(users, () => user, { concurrency: "unbounded", discard: true }))
  const waiter = over(1, (user) =>
    Effect.gen(function*() {
      const before = yield* Effect.forkChild(user, { startImmediately: true })
      const after = yield* Effect.forkChild(Effect.andThen(Effect.sleep(1), user), { startImmediately: true })
      yield* InterruptLab.subject(user, { again: true })
      yield* Fiber.joinAll([before, after])
    }))
  const settled = over(
    1,
    (user) => Effect.andThen(Effect.sleep("1 second"), InterruptLab.subject(user, { again: true }))
  )
  const failing = over(1, (user) =>
    Effect.gen(function*() {
      yield* Effect.forEach(users, () => Effect.exit(user), { concurrency: "unbounded", discard: true })
      // One acquisition has failed by now, and no other will fail.
      yield* Effect.retry(user, { times: 1 })
    }))
  return [
    law("lends each item to one user at a time and closes it, once", all, options),
    law("lends and closes each item correctly in any order of tasks", all, options, orders),
    law("takes an item back from a user who is interrupted", settled, options),
    law("passes on the turn of a waiter who is interrupted", waiter, options),
    law("passes on the turn of an interrupted waiter in any order of tasks", waiter, options, orders),
    law("continues when an acquisition fails", failing, options, { inject: ["failingAcquire"] })
  ]
}

/**
 * The queue under test. `receive` waits for an item and passes it to `f`; `clear` removes the remaining items, and does not wait.
 *
 * @category models
 */
export interface QueueUnderTest {
  readonly offer: (item: number) => Effect.Effect<unknown, unknown>
  readonly receive: (f: (item: number) => Effect.Effect<void>) => Effect.Effect<unknown, unknown>
  readonly clear: Effect.Effect<Iterable<number>, unknown>
}

/**
 * The laws of a queue of one consumer: `make` makes one of the given capacity, whose `offer` waits when it is full.
 *
 * **Details**
 *
 * A queue with `take` receives without a loss if it takes interruptibly and handles uninterruptibly, in one
 * `Effect.uninterruptibleMask`.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, Queue } from "effect"
 * import { Laws } from "@fiberscope/core/testing"
 *
 * const laws = Laws.queue((capacity) =>
 *   Effect.map(Queue.bounded<number>(capacity), (queue) => ({
 *     offer: (item) => Queue.offer(queue, item),
 *     receive: (f) => Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.take(queue)), f)),
 *     clear: Queue.clear(queue)
 *   }))
 * )
 *
 * for (const { check, name } of laws) it.effect(`a queue ${name}`, () => check)
 * ```
 *
 * @category laws
 */
export const queue = <E>(
  make: (capacity: number) => Effect.Effect<QueueUnderTest, E, Scope.Scope>,
  options?: ExploreOptions
): ReadonlyArray<Law> => {
  const capacity = 2
  const items = [1, 2, 3, 4]
  const received = (ledger: Ledger, { receive }: QueueUnderTest) =>
    receive((item) => Effect.sync(() => ledger.delivered(item)))
  const offered = (ledger: Ledger, { offer }: QueueUnderTest) => (item: number) =>
    Effect.uninterruptible(Effect.andThen(offer(item), Effect.sync(() => ledger.offered(item))))
  const remaining = (ledger: Ledger, { clear }: QueueUnderTest) =>
    Effect.map(clear, (left) => {
      for (const item of left) ledger.remaining(item)
    })
  const over = (
    body: (ledger: Ledger, queue: QueueUnderTest) => Effect.Effect<unknown, unknown>
  ): Program =>
  (ledger) => Effect.scoped(Effect.flatMap(make(capacity), (queue) => body(ledger, queue)))

  const conserving = over((ledger, queue) =>
    Effect.gen(function*() {
      const producer = yield* Effect.forkChild(
        Effect.forEach(items, (item) => Effect.andThen(offered(ledger, queue)(item), Effect.sleep(1)))
      )
      yield* InterruptLab.subject(
        Effect.forEach(items, () => Effect.andThen(received(ledger, queue), Effect.sleep(2)), { discard: true })
      )
      // The producer may still be waiting for room.
      while (producer.pollUnsafe() === undefined) {
        yield* remaining(ledger, queue)
        yield* Effect.sleep(1)
      }
      yield* remaining(ledger, queue)
    })
  )
  const waiting = over((ledger, queue) =>
    Effect.gen(function*() {
      // No item arrives while this consumer waits, so later items belong to other consumers.
      yield* InterruptLab.subject(Effect.timeoutOption(queue.receive(() => Effect.void), 5))
      yield* offered(ledger, queue)(1)
      yield* received(ledger, queue)
    })
  )
  const full = over((ledger, queue) =>
    Effect.gen(function*() {
      for (let item = 1; item <= capacity; item++) yield* offered(ledger, queue)(item)
      const late = capacity + 1
      // The offer cannot be accepted while it waits.
      const exit = yield* InterruptLab.subject(Effect.timeoutOption(queue.offer(late), 5))
      if (Exit.isSuccess(exit) && exit.value._tag === "Some") ledger.note("offered beyond the capacity")
      for (let item = 1; item <= capacity; item++) yield* received(ledger, queue)
      const last = late + 1
      yield* offered(ledger, queue)(last)
      yield* received(ledger, queue)
    })
  )
  const ordered = over((ledger, queue) =>
    Effect.gen(function*() {
      const producer = yield* Effect.forkChild(Effect.forEach(items, queue.offer))
      const taken: Array<number> = []
      ledger.always("items come out in the order they went in", () => taken.every((item, i) => item === items[i]))
      yield* Effect.sleep(1)
      yield* Effect.forEach(items, () =>
        queue.receive((item) =>
          Effect.sync(() => {
            taken.push(item)
          })
        ))
      yield* Fiber.join(producer)
    })
  )
  return [
    law("conserves every item when its consumer is interrupted", conserving, options),
    law("conserves every item in any order of tasks", conserving, options, orders),
    law("gives nothing to a consumer that is no longer there", waiting, options),
    law("takes nothing from a producer that is no longer there", full, options),
    law("keeps the order of its items", ordered, options, orders)
  ]
}
