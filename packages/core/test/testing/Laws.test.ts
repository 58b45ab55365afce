import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Pool, Queue, Scope, Semaphore } from "effect"
import * as Mailbox from "../../src/Mailbox.ts"
import type { InjectedFailure, Lease, Ledger } from "../../src/testing/index.ts"
import { Laws } from "../../src/testing/index.ts"

/** A timeout in milliseconds for tests of about ten thousand runs on a busy machine. */
const patient = 60_000

const passes = (laws: ReadonlyArray<Laws.Law>): void => {
  for (const { check, name } of laws) it.effect(name, () => check, patient)
}

/** The names of the laws that do not hold. */
const broken = (laws: ReadonlyArray<Laws.Law>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.forEach(laws, ({ check, name }) => Effect.match(check, { onFailure: () => [name], onSuccess: () => [] })),
    (names) => names.flat()
  )

type PoolFlaw = "lends twice" | "closes nothing" | "forgets the interrupted" | "wakes the dead" | "keeps the permit"

/** A pool of the simplest kind, with one flaw or none. */
const pool = (flaw?: PoolFlaw): ReadonlyArray<Laws.Law> =>
  Laws.pool(({ acquire, size }) =>
    Effect.gen(function*() {
      const scope = flaw === "closes nothing" ? Scope.makeUnsafe() : yield* Effect.scope
      const free: Array<Lease> = []
      const permits = yield* Semaphore.make(size)
      const line: Array<Deferred.Deferred<void>> = []
      let places = size
      // Waits in a line that an interrupted fiber does not leave.
      const enter = Effect.suspend(() => {
        if (places-- > 0) return Effect.void
        const waiter = Deferred.makeUnsafe<void>()
        line.push(waiter)
        return Deferred.await(waiter)
      })
      const leave = Effect.suspend(() => {
        places++
        const next = line.shift()
        return next === undefined ? Effect.void : Deferred.succeed(next, undefined)
      })
      const take = Effect.suspend((): Effect.Effect<Lease, InjectedFailure> => {
        const item = flaw === "lends twice" ? free[0] : free.pop()
        return item === undefined ? Scope.provide(acquire, scope) : Effect.succeed(item)
      })
      const put = (item: Lease) => Effect.sync(() => free.push(item))
      return {
        use: (f) => {
          const lent = Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(take, (item) =>
              flaw === "forgets the interrupted"
                ? Effect.tap(restore(f(item)), () => put(item))
                : Effect.ensuring(restore(f(item)), put(item)))
          )
          if (flaw === "wakes the dead") {
            return Effect.uninterruptibleMask((restore) =>
              Effect.andThen(restore(enter), Effect.ensuring(restore(lent), leave))
            )
          }
          if (flaw === "keeps the permit") {
            return Effect.andThen(
              permits.take(1),
              Effect.tap(lent, () => permits.release(1))
            )
          }
          return permits.withPermits(1)(lent)
        }
      }
    })
  )

type QueueFlaw = "takes too early" | "offers for the dead" | "last in, first out"

/** A queue of the simplest kind, with one flaw or none. */
const queue = (flaw?: QueueFlaw): ReadonlyArray<Laws.Law> =>
  Laws.queue((capacity) =>
    Effect.sync(() => {
      const items: Array<number> = []
      const takers = new Set<() => void>()
      const producers = new Set<() => void>()
      const wake = (waiters: Set<() => void>) => {
        const all = [...waiters]
        waiters.clear()
        for (const waiter of all) waiter()
      }
      const wait = (waiters: Set<() => void>) =>
        Effect.callback<void>((resume) => {
          const waiter = () => resume(Effect.void)
          waiters.add(waiter)
          return Effect.sync(() => waiters.delete(waiter))
        })
      const next = () => {
        const item = flaw === "last in, first out" ? items.pop()! : items.shift()!
        wake(producers)
        return item
      }
      const take: Effect.Effect<number> = Effect.suspend(() =>
        items.length === 0
          ? Effect.andThen(wait(takers), take)
          // There is no interruption between the end of a `sync` and the next operation.
          : flaw === "takes too early"
          ? Effect.succeed(next())
          : Effect.sync(next)
      )
      const push = (item: number): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (items.length >= capacity) {
            if (flaw === "offers for the dead") {
              producers.add(() => items.push(item))
              return Effect.never
            }
            return Effect.andThen(wait(producers), push(item))
          }
          items.push(item)
          wake(takers)
          return Effect.void
        })
      const receive = (f: (item: number) => Effect.Effect<void>) =>
        Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(take), f))
      return { offer: push, receive, clear: Effect.sync(() => items.splice(0)) }
    })
  )

describe("Laws", () => {
  describe("a resource", () => {
    passes(Laws.resource((ledger) => ledger.resource("a", { opens: 2, closes: 2 })))

    it.effect("breaks its laws when its release is not guaranteed", () =>
      Effect.gen(function*() {
        const later = (ledger: Ledger) =>
          Effect.gen(function*() {
            const lease = yield* ledger.open("a")
            yield* Effect.addFinalizer(() => ledger.close(lease))
          })
        assert.include(yield* broken(Laws.resource(later)), "closes what it has opened, once")
        const together = (ledger: Ledger) =>
          Effect.acquireRelease(
            Effect.all([ledger.open("a"), ledger.open("b")]),
            (leases) => Effect.forEach(leases, (lease) => ledger.close(lease))
          )
        assert.deepStrictEqual(yield* broken(Laws.resource(together)), [
          "closes the rest when an acquisition fails",
          "closes the rest when a release dies"
        ])
      }), patient)
  })

  describe("a pool", () => {
    passes(
      Laws.pool(({ acquire, size }) =>
        Effect.map(Pool.make({ acquire, size }), (pool): Laws.PoolUnderTest => ({ use: (f) => Pool.use(pool, f) }))
      )
    )

    it.effect("keeps its laws in its simplest form, and breaks them with any flaw", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* broken(pool()), [])
        const lends = "lends each item to one user at a time and closes it, once"
        assert.include(yield* broken(pool("lends twice")), lends)
        assert.include(yield* broken(pool("closes nothing")), lends)
        assert.include(
          yield* broken(pool("forgets the interrupted")),
          "takes an item back from a user who is interrupted"
        )
        assert.include(yield* broken(pool("wakes the dead")), "passes on the turn of a waiter who is interrupted")
        assert.include(yield* broken(pool("keeps the permit")), "continues when an acquisition fails")
      }), patient)
  })

  describe("a queue", () => {
    passes(Laws.queue((capacity) =>
      Effect.map(Queue.bounded<number>(capacity), (queue): Laws.QueueUnderTest => ({
        offer: (item) => Queue.offer(queue, item),
        receive: (f) => Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.take(queue)), f)),
        clear: Queue.clear(queue)
      }))
    ))

    describe("that is a Mailbox", () => {
      passes(
        Laws.queue((capacity) =>
          Effect.map(Mailbox.make<number>({ capacity }), (mailbox): Laws.QueueUnderTest => ({
            offer: mailbox.send,
            receive: mailbox.receive,
            clear: Effect.gen(function*() {
              const left: Array<number> = []
              while ((yield* mailbox.size) > 0) {
                yield* mailbox.receive((item) =>
                  Effect.sync(() => {
                    left.push(item)
                  })
                )
              }
              return left
            })
          }))
        )
      )
    })

    it.effect("keeps its laws in its simplest form, and breaks them with any flaw", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* broken(queue()), [])
        assert.include(yield* broken(queue("takes too early")), "conserves every item when its consumer is interrupted")
        assert.include(
          yield* broken(queue("offers for the dead")),
          "takes nothing from a producer that is no longer there"
        )
        assert.include(yield* broken(queue("last in, first out")), "keeps the order of its items")
      }), patient)
  })
})
