import {
  Deferred,
  Effect,
  Exit,
  Fiber,
  Latch,
  PartitionedSemaphore,
  PubSub,
  Queue,
  Semaphore,
  SynchronizedRef
} from "effect"
import { InterruptLab } from "../../../src/testing/index.ts"
import type { Case } from "./Case.ts"
import { contended, one } from "./Case.ts"

const hold = Effect.sleep(5)

export const coordination: ReadonlyArray<Case> = [
  one(
    "Semaphore.withPermits, contended",
    () => Effect.flatMap(Semaphore.make(1), (semaphore) => contended(semaphore.withPermits(1)(hold)))
  ),
  one(
    "Semaphore.withPermits, two of three",
    () => Effect.flatMap(Semaphore.make(3), (semaphore) => contended(semaphore.withPermits(2)(hold)))
  ),
  one(
    "Semaphore.take and release, contended",
    () =>
      Effect.flatMap(
        Semaphore.make(1),
        (semaphore) => contended(Effect.acquireUseRelease(semaphore.take(1), () => hold, () => semaphore.release(1)))
      )
  ),
  one(
    "Semaphore.withPermitsIfAvailable",
    () => Effect.flatMap(Semaphore.make(1), (semaphore) => contended(semaphore.withPermitsIfAvailable(1)(hold)))
  ),
  one(
    "PartitionedSemaphore.withPermits, contended",
    () =>
      Effect.flatMap(
        PartitionedSemaphore.make<string>({ permits: 1 }),
        (semaphore) => contended(semaphore.withPermits("k", 1)(hold))
      )
  ),
  one(
    "PartitionedSemaphore.withPermits, free",
    () =>
      Effect.flatMap(
        PartitionedSemaphore.make<string>({ permits: 1 }),
        (semaphore) => InterruptLab.subject(semaphore.withPermits("k", 1)(Effect.void), { again: true })
      ),
    {},
    "docs/findings/partitioned-semaphore.md"
  ),
  one(
    "Semaphore.withPermits, free",
    () =>
      Effect.flatMap(
        Semaphore.make(1),
        (semaphore) => InterruptLab.subject(semaphore.withPermits(1)(Effect.void), { again: true })
      )
  ),
  one(
    "PartitionedSemaphore.withPermits, two of three",
    () =>
      Effect.flatMap(
        PartitionedSemaphore.make<string>({ permits: 3 }),
        (semaphore) => contended(semaphore.withPermits("k", 2)(hold))
      )
  ),
  one("Queue.take, another consumer goes on", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.bounded<number>(2)
      const producer = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4], (n) => Effect.andThen(Effect.sleep(2), Queue.offer(queue, n)))
      )
      yield* InterruptLab.subject(Effect.andThen(Queue.take(queue), Queue.take(queue)))
      const other = yield* Effect.forkChild(Effect.forever(Queue.take(queue)))
      yield* Fiber.join(producer)
      yield* Fiber.interrupt(other)
    })),
  one("Queue.take, while it waits nothing is lost", (ledger) =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      // The subject waits for an item that arrives only after the subject has ended.
      yield* InterruptLab.subject(Effect.timeoutOption(Queue.take(queue), 5))
      for (const item of [1, 2]) {
        yield* Queue.offer(queue, item)
        ledger.offered(item)
      }
      ledger.delivered(yield* Queue.take(queue))
      for (const item of yield* Queue.clear(queue)) ledger.remaining(item)
    })),
  one("Queue.offer, full", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.bounded<number>(1)
      yield* Queue.offer(queue, 0)
      yield* InterruptLab.subject(Effect.timeoutOption(Queue.offer(queue, 1), 5))
      const consumer = yield* Effect.forkChild(Effect.forever(Queue.take(queue)), { startImmediately: true })
      for (const item of [2, 3, 4]) yield* Queue.offer(queue, item)
      yield* Fiber.interrupt(consumer)
    })),
  one("PubSub.subscribe, take", () =>
    Effect.gen(function*() {
      const pubsub = yield* PubSub.bounded<number>(1)
      yield* InterruptLab.subject(
        Effect.scoped(Effect.flatMap(PubSub.subscribe(pubsub), (subscription) =>
          Effect.andThen(PubSub.publish(pubsub, 1), PubSub.take(subscription)))),
        { again: true }
      )
      // A remaining subscription would fill up, and block the publisher.
      yield* Effect.timeout(
        Effect.forEach([2, 3, 4], (n) =>
          PubSub.publish(pubsub, n)),
        "1 minute"
      )
    })),
  one("Deferred.await", () =>
    Effect.gen(function*() {
      const deferred = yield* Deferred.make<number>()
      const other = yield* Effect.forkChild(Deferred.await(deferred), { startImmediately: true })
      const giver = yield* Effect.forkChild(Effect.andThen(Effect.sleep(3), Deferred.succeed(deferred, 1)))
      yield* InterruptLab.subject(Deferred.await(deferred), { again: true })
      yield* Fiber.join(other)
      yield* Fiber.join(giver)
    })),
  one("Deferred.into", () =>
    Effect.gen(function*() {
      const deferred = yield* Deferred.make<void>()
      const waiter = yield* Effect.forkChild(Effect.exit(Deferred.await(deferred)), { startImmediately: true })
      const exit = yield* InterruptLab.subject(Deferred.into(Effect.sleep(3), deferred))
      // Interrupted before it began, it has no effect.
      if (Exit.isFailure(exit) && !(yield* Deferred.isDone(deferred))) yield* Deferred.interrupt(deferred)
      yield* Fiber.join(waiter)
    })),
  one("Latch.whenOpen", () =>
    Effect.gen(function*() {
      const latch = yield* Latch.make()
      const other = yield* Effect.forkChild(latch.await, { startImmediately: true })
      const opener = yield* Effect.forkChild(Effect.andThen(Effect.sleep(3), latch.open))
      yield* InterruptLab.subject(latch.whenOpen(Effect.yieldNow), { again: true })
      yield* Fiber.join(other)
      yield* Fiber.join(opener)
    })),
  one(
    "SynchronizedRef.updateEffect, contended",
    () =>
      Effect.flatMap(
        SynchronizedRef.make(0),
        (ref) => contended(SynchronizedRef.updateEffect(ref, (n) => Effect.as(hold, n + 1)))
      )
  )
]
