import { Effect, Fiber, FiberHandle, FiberMap, FiberSet } from "effect"
import type { Ledger } from "../../../src/testing/index.ts"
import { InterruptLab } from "../../../src/testing/index.ts"
import type { Case } from "./Case.ts"
import { one } from "./Case.ts"

const job = (ledger: Ledger, name: string, ms: number) =>
  Effect.acquireUseRelease(ledger.open(name), () => Effect.sleep(ms), (lease) => ledger.close(lease, { takes: 2 }))

const slowJob = (ledger: Ledger, name: string, ms: number) =>
  Effect.acquireUseRelease(ledger.open(name, { takes: 2 }), () => Effect.sleep(ms), (lease) => ledger.close(lease))

export const fibers: ReadonlyArray<Case> = [
  one("FiberSet.run", (ledger) =>
    Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make()
      for (let i = 0; i < 3; i++) yield* FiberSet.run(set, job(ledger, `job${i}`, 5 + i))
      yield* FiberSet.awaitEmpty(set)
    }))),
  one("FiberSet, shared", (ledger) =>
    Effect.gen(function*() {
      const set = yield* FiberSet.make()
      yield* InterruptLab.subject(
        Effect.andThen(FiberSet.run(set, job(ledger, "job", 5)), FiberSet.awaitEmpty(set)),
        { again: true }
      )
      yield* FiberSet.awaitEmpty(set)
    })),
  one("FiberMap.run, replacing", (ledger) =>
    Effect.gen(function*() {
      const map = yield* FiberMap.make<string>()
      yield* InterruptLab.subject(
        Effect.gen(function*() {
          yield* FiberMap.run(map, "a", Effect.ensuring(Effect.never, Effect.yieldNow))
          yield* Effect.sleep(1)
          yield* FiberMap.run(map, "a", job(ledger, "second", 3))
          yield* FiberMap.awaitEmpty(map)
        }),
        { again: true }
      )
      yield* FiberMap.clear(map)
    })),
  one("FiberHandle.run, replacing", (ledger) =>
    Effect.gen(function*() {
      const handle = yield* FiberHandle.make()
      yield* InterruptLab.subject(
        Effect.gen(function*() {
          yield* FiberHandle.run(handle, job(ledger, "first", 100))
          yield* Effect.sleep(1)
          yield* FiberHandle.run(handle, job(ledger, "second", 3))
          yield* FiberHandle.awaitEmpty(handle)
        }),
        { again: true }
      )
      yield* FiberHandle.clear(handle)
    })),
  one(
    "forkChild, join",
    (ledger) =>
      Effect.flatMap(
        Effect.forkChild(slowJob(ledger, "child", 5)),
        (child) => Effect.andThen(Effect.sleep(3), Fiber.join(child))
      )
  ),
  one(
    "forkChild, interrupt",
    (ledger) =>
      Effect.flatMap(
        Effect.forkChild(job(ledger, "child", 50)),
        (child) => Effect.andThen(Effect.sleep(3), Fiber.interrupt(child))
      )
  ),
  one(
    "forkScoped",
    (ledger) => Effect.scoped(Effect.andThen(Effect.forkScoped(job(ledger, "scoped", 50)), Effect.sleep(5)))
  ),
  one("race", (ledger) => Effect.race(job(ledger, "fast", 3), slowJob(ledger, "slow", 30))),
  one(
    "raceFirst, one fails",
    (ledger) =>
      Effect.ignore(
        Effect.raceFirst(Effect.andThen(job(ledger, "fast", 3), Effect.fail("no")), slowJob(ledger, "slow", 30))
      )
  ),
  one("raceAll", (ledger) => Effect.raceAll([1, 5, 30].map((ms) => slowJob(ledger, `r${ms}`, ms)))),
  one("timeout, too late", (ledger) => Effect.ignore(Effect.timeout(job(ledger, "late", 50), 5))),
  one("timeout, in time", (ledger) => Effect.timeout(slowJob(ledger, "quick", 2), 50)),
  one(
    "timeoutOption of an uninterruptible",
    (ledger) => Effect.timeoutOption(Effect.uninterruptible(job(ledger, "late", 20)), 5)
  ),
  one(
    "forEach, concurrency 2",
    (ledger) => Effect.forEach([3, 1, 2, 4], (ms) => slowJob(ledger, `e${ms}`, ms), { concurrency: 2, discard: true })
  ),
  one("forEach, unbounded, one fails", (ledger) =>
    Effect.ignore(Effect.forEach(
      [3, 1, 2],
      (ms) => Effect.andThen(job(ledger, `e${ms}`, ms), ms === 1 ? Effect.fail("no") : Effect.void),
      { concurrency: "unbounded" }
    ))),
  one(
    "all, concurrent",
    (ledger) => Effect.all([job(ledger, "a", 1), slowJob(ledger, "b", 2)], { concurrency: "unbounded" })
  ),
  one(
    "retry",
    (ledger) => Effect.ignore(Effect.retry(Effect.andThen(job(ledger, "try", 1), Effect.fail("no")), { times: 2 }))
  ),
  one("repeat, forever", (ledger) => Effect.timeout(Effect.forever(job(ledger, "again", 4)), 20).pipe(Effect.ignore))
]
