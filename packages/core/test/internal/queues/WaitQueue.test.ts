import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler, Schema } from "effect"
import { WaitQueue } from "../../../src/internal/queues/WaitQueue.ts"
import type { Ledger } from "../../../src/testing/index.ts"
import { InterruptLab } from "../../../src/testing/index.ts"

const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Script = Schema.Struct({
  permits: small(1, 3),
  users: Schema.Array(Schema.Struct({ after: small(0, 1), holds: small(0, 2), greedy: Schema.Boolean })).check(
    Schema.isMinLength(3),
    Schema.isMaxLength(6)
  ),
  victim: small(0, 3),
  thief: Schema.Array(small(0, 3)).check(Schema.isMaxLength(2))
})

/** A semaphore over the queue: users arrive after some time, hold a permit for some time, and then end. */
const program = ({ permits, thief, users, victim }: typeof Script.Type, ledger: Ledger) =>
  Effect.gen(function*() {
    let free = permits
    const maker = yield* Effect.fiber
    const queue = new WaitQueue(maker.currentDispatcher, () => free > 0)
    ledger.always("no permit is given twice", () => free >= 0)
    ledger.always("no permit is given back twice", () => free <= permits)
    const use = (user: (typeof users)[number]) =>
      Effect.suspend(() => {
        let held = 0
        const take = () => {
          held = user.greedy ? free : 1
          free -= held
          return Effect.sleep(user.holds)
        }
        return Effect.andThen(
          Effect.sleep(user.after),
          Effect.onExit(
            Effect.suspend(() => free > 0 && queue.size === 0 ? take() : queue.wait(take)),
            () =>
              Effect.sync(() => {
                free += held
                if (held > 0) queue.wake()
              })
          )
        )
      })
    // A fiber that takes a permit without waiting in line, as closing a mailbox takes the items that others were woken for.
    const steal = Effect.suspend(() => {
      if (free === 0) return Effect.void
      free--
      return Effect.andThen(
        Effect.sleep(1),
        Effect.sync(() => {
          free++
          queue.wake()
        })
      )
    })
    yield* Effect.forkChild(Effect.forEach(thief, (after) => Effect.andThen(Effect.sleep(after), steal)))
    const others = yield* Effect.forEach(users.filter((_, i) => i !== victim), (user) => Effect.forkChild(use(user)))
    if (users[victim] !== undefined) yield* InterruptLab.subject(use(users[victim]), { again: true })
    yield* Effect.sleep("1 second")
    // A lost place leaves a fiber waiting forever, which the lab reports.
    yield* Fiber.joinAll(others)
    if (free !== permits || queue.size > 0) {
      return yield* Effect.die(new Error(`${permits - free} permits, ${queue.size} places are lost`))
    }
  })

/** Two fibers in line, the first of which uses up its budget somewhere on its way; then something happens to the permits. */
const sweep = (
  happens: (permits: { free: number }, queue: WaitQueue) => Effect.Effect<void>,
  // Not one turn later, when the parked fiber has continued.
  dispatcher: Scheduler.SchedulerDispatcher = { scheduleTask: (task) => task(), flush: () => {} }
) =>
  Effect.forEach(Array.from({ length: 12 }, (_, i) => i + 3), (budget) =>
    Effect.gen(function*() {
      const permits = { free: 0 }
      const queue = new WaitQueue(dispatcher, () => permits.free > 0)
      const take = queue.wait(() => {
        assert.isAtLeast(--permits.free, 0)
        return Effect.void
      })
      const tired = Effect.provideService(take, Scheduler.MaxOpsBeforeYield, budget)
      const fibers = yield* Effect.forEach([tired, take], (one) => Effect.forkChild(one, { startImmediately: true }))
      yield* happens(permits, queue)
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(queue.size, 0)
    }), { discard: true })

describe("WaitQueue", () => {
  it.effect("lets the next proceed after one that was parked before it had seen its turn", () =>
    Effect.forEach([0, 1, 2, 3, 4, 5], (turns) =>
      sweep((permits, queue) =>
        Effect.gen(function*() {
          for (let i = 0; i < turns; i++) yield* Effect.yieldNow
          permits.free = 2
          queue.wake()
        })
      )))

  it.effect("does not let a fiber proceed whose turn was taken away while it was parked", () =>
    sweep((permits, queue) =>
      Effect.gen(function*() {
        permits.free = 1
        queue.wake()
        for (let i = 0; i < 20; i++) {
          // The awaited permit is available before each step of the parked fiber, and is not after it.
          yield* Effect.yieldNow
          if (permits.free === 1 && i % 2 === 0) permits.free = 0
          else if (permits.free === 0 && queue.size > 0) permits.free = 1
        }
        permits.free = queue.size
        queue.wake()
      })
    ))

  for (const order of ["fifo", "random"] as const) {
    it.effect.prop(
      `gives every place to a fiber that uses it, and loses none (${order} order)`,
      { script: Script },
      ({ script }) =>
        InterruptLab.verify((ledger) => program(script, ledger), {
          order,
          seed: script.victim,
          points: ["park", "task", "idle", "delivery"],
          budget: { runs: 300 }
        }),
      { arbitrary: { runs: 30 }, timeout: 60_000 }
    )
  }
})
