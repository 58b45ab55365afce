import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  Clock,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Queue,
  Schema,
  Scope,
  Semaphore,
  Stream
} from "effect"
import type { Ledger, Report } from "../../src/testing/index.ts"
import { InterruptLab, Script } from "../../src/testing/index.ts"
import { correct, operations, program, work, wrong } from "./programs.ts"

const kinds = ({ failures }: Report): Record<string, number> => {
  const out: Record<string, number> = {}
  for (const { plan } of failures) {
    const kind = plan.points[0]?._tag ?? "None"
    out[kind] = (out[kind] ?? 0) + 1
  }
  return out
}

const problems = (
  { failures }: Report
): ReadonlyArray<string> => [...new Set(failures.flatMap(({ problems }) => problems))]

/** A timeout in milliseconds for tests of about ten thousand runs on a busy machine. */
const patient = 60_000

describe("InterruptLab", () => {
  describe("reports no failure of a correct program:", () => {
    for (const [name, make] of Object.entries(correct)) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const report = yield* InterruptLab.verify(make)
          assert.isAbove(report.points.park, 10)
          yield* InterruptLab.verify(make, { order: "random", orders: 3, seed: 11 })
        }), patient)
    }

    it.effect(
      "any of 1 000 random programs, in the order of Effect's scheduler or in a random order",
      () =>
        Effect.gen(function*() {
          const scripts = yield* Arbitrary.sampleEffect(Arbitrary.schema(Script.Script), { count: 1000, seed: 42 })
          let runs = 0
          for (const [seed, script] of scripts.entries()) {
            runs += (yield* InterruptLab.verify(program(script), seed % 2 === 0 ? {} : { order: "random", seed })).runs
          }
          assert.isAbove(runs, 20_000)
        }),
      patient
    )
  })

  describe("finds the bug of a program that", () => {
    const expected: Record<string, Record<string, number>> = {
      "acquires, and attaches the finalizer one operation later": { Park: 2 },
      "acquires in a generator, then adds a finalizer": { Park: 6 },
      "keeps what it acquired in a variable that is set too late": { Park: 4, Task: 1 },
      "acquires uninterruptibly, with the finalizer outside": { Park: 10, Task: 1, Idle: 1 },
      "closes only when all goes well": { Park: 22, Task: 5, Idle: 4 },
      "leaves a resource to a detached fiber": { None: 1 }
    }
    for (const [name, make] of Object.entries(wrong)) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const report = yield* InterruptLab.explore(make)
          assert.deepStrictEqual(kinds(report), expected[name])
          assert.include(problems(report), "a#1 was acquired and never released")
          const error = yield* Effect.flip(InterruptLab.verify(make))
          assert.instanceOf(error, InterruptLab.NotInterruptSafe)
        }))
    }
  })

  it.effect("reports a double release, a use after the release, and a lost item", () =>
    Effect.gen(function*() {
      const twice = yield* InterruptLab.explore((l) =>
        Effect.acquireUseRelease(
          l.open("a"),
          (lease) => Effect.onInterrupt(work, () => l.close(lease)),
          (lease) => l.close(lease)
        )
      )
      assert.deepStrictEqual(problems(twice), ["a#1 was released 2 times"])
      const after = yield* InterruptLab.explore((l) =>
        Effect.flatMap(
          Effect.scoped(l.resource("a")),
          (lease) => Effect.sync(() => l.use(lease))
        )
      )
      assert.deepStrictEqual(problems(after), ["a#1 was used after its release"])
      const lost = yield* InterruptLab.explore(
        consuming((queue, done) =>
          Effect.flatMap(Queue.take(queue), (item) => Effect.andThen(Effect.sleep(1), done(item)))
        )
      )
      assert.include(problems(lost), "item 1 was offered and is lost")
      yield* InterruptLab.verify(
        consuming((queue, done) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(restore(Queue.take(queue)), (item) => Effect.andThen(Effect.sleep(1), done(item)))
          )
        )
      )
    }))

  it.effect("reports a fault that lasts only a moment", () =>
    Effect.gen(function*() {
      const report = yield* InterruptLab.explore((l) => {
        l.always("at most one is open", () => l.held.length <= 1)
        const use = Effect.acquireUseRelease(l.open("a"), () => Effect.yieldNow, (lease) => l.close(lease))
        return Effect.all([use, use], { concurrency: 2 })
      })
      assert.strictEqual(report.failures[0]?.plan.points.length, 0)
      assert.match(report.failures[0]!.problems[0]!, /^"at most one is open" does not hold \(before op \d+\)$/)
    }))

  it.effect("checks the invariants of the caller, and reports defects", () =>
    Effect.gen(function*() {
      let open = 0
      const report = yield* InterruptLab.explore(
        () => {
          open = 0
          return Effect.gen(function*() {
            open++
            yield* Effect.sleep(1)
            open--
          })
        },
        { invariant: ({ interrupted }) => open === 0 ? undefined : `${open} open, interrupted: ${interrupted}` }
      )
      assert.deepStrictEqual(problems(report), ["1 open, interrupted: true"])
      const died = yield* InterruptLab.explore(() =>
        Effect.ensuring(Effect.sleep(1), Effect.die(new TypeError("x is undefined")))
      )
      assert.deepStrictEqual(problems(died), ["the program died: TypeError: x is undefined"])
    }))

  it.effect("interrupts only the subject, and runs it a second time", () =>
    Effect.gen(function*() {
      const one = (take: (semaphore: Semaphore.Semaphore) => Effect.Effect<unknown>) => () =>
        Effect.flatMap(
          Semaphore.make(1),
          (semaphore) => InterruptLab.subject(take(semaphore), { again: true })
        )
      yield* InterruptLab.verify(one((semaphore) => semaphore.withPermits(1)(Effect.sleep(1))))
      const report = yield* InterruptLab.explore(
        one((semaphore) => Effect.andThen(semaphore.take(1), Effect.ensuring(Effect.sleep(1), semaphore.release(1))))
      )
      assert.deepStrictEqual(problems(report), [
        "after the interruption, a second uninterrupted run did not complete within 1 hour (virtual)"
      ])
      // Only operations of the subject are points.
      assert.isBelow(report.points.park, report.undisturbed.ops)
      assert.strictEqual((yield* Effect.exit(InterruptLab.subject(Effect.succeed(1))))._tag, "Success")
    }))

  it.effect("fails when the code around the subject fails", () =>
    Effect.gen(function*() {
      const report = yield* InterruptLab.explore(() =>
        Effect.gen(function*() {
          const latch = yield* Deferred.make<void>()
          const exit = yield* InterruptLab.subject(Effect.andThen(Effect.sleep(1), Deferred.succeed(latch, undefined)))
          if (Exit.isFailure(exit)) return yield* Effect.fail("the latch stays closed")
        })
      )
      assert.deepStrictEqual(problems(report), ["the code around the subject failed: Error: the latch stays closed"])
    }))

  it.effect("gives each run its own scope and layers, and the services of the test", () =>
    Effect.gen(function*() {
      class Outer extends Context.Service<Outer, string>()("Outer") {}
      class Db extends Context.Service<Db, string>()("Db") {}
      const opened: Array<string> = []
      const layer = Layer.effect(Db, Effect.map(Effect.sync(() => opened.push("db")), String))
      const report = yield* InterruptLab.verify((l) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* Outer, "from outside")
          // Only the lab closes this scope.
          yield* l.resource("a")
          assert.strictEqual(yield* Clock.currentTimeMillis, 0)
          yield* Effect.provide(Effect.andThen(Db, Effect.sleep(1)), layer)
        })
      ).pipe(Effect.provideService(Outer, "from outside"), Effect.provide(layer))
      // The layer around the test is not the one that the runs build: they build their own.
      assert.isAbove(opened.length, report.points.park / 3)
    }))

  it.effect("accepts an endless program with `endless`, and reports it otherwise", () =>
    Effect.gen(function*() {
      const server = (l: Ledger) => Effect.andThen(l.resource("socket"), Effect.never)
      const report = yield* InterruptLab.verify(server, { endless: true })
      assert.strictEqual(report.points.idle, 1)
      const polling = (l: Ledger) => Effect.andThen(l.resource("socket"), Effect.forever(Effect.sleep("1 second")))
      const minute = yield* InterruptLab.verify(polling, { endless: true })
      const second = yield* InterruptLab.verify(polling, { endless: "1 second" })
      assert.strictEqual(minute.undisturbed.ms, 60_000)
      assert.strictEqual(second.undisturbed.ms, 1000)
      assert.isAbove(minute.points.idle, second.points.idle)
      const stuck = yield* InterruptLab.explore(server)
      assert.strictEqual(problems(stuck).length, 2)
      assert.match(problems(stuck)[0]!, /never ended.*driver: "async".*endless: true/)
      const promise = yield* InterruptLab.explore(() => Effect.promise(() => Promise.resolve()))
      assert.match(problems(promise)[0]!, /never ended.*driver: "async"/)
    }))

  it.effect("injects failures into each acquisition and each release", () =>
    Effect.gen(function*() {
      const report = yield* InterruptLab.verify(
        (l) => Effect.scoped(Effect.andThen(l.resource("a"), Effect.andThen(l.resource("b"), Effect.sleep(1)))),
        { inject: ["failingAcquire", "dyingRelease", "slowRelease"] }
      )
      assert.isAbove(report.runs, 6 * 20)
      const both = yield* InterruptLab.explore((l) =>
        Effect.acquireUseRelease(
          Effect.all([l.open("a"), l.open("b")]),
          () => Effect.void,
          ([a, b]) => Effect.andThen(l.close(a), l.close(b))
        ), { inject: ["failingAcquire", "dyingRelease"] })
      assert.deepStrictEqual(kinds(both), { None: 2 })
      assert.deepStrictEqual(both.failures.map(({ token }) => token), [
        "lab1/failing-acquire=2",
        "lab1/dying-release=1"
      ])
    }))

  it.effect("interrupts each of several subjects, and two of them in a pair", () =>
    Effect.gen(function*() {
      // A turnstile that survives one interrupted user, but not two.
      const make = (concurrent: boolean) => (l: Ledger) =>
        Effect.gen(function*() {
          let left = 0
          const guest = InterruptLab.subject(Effect.onInterrupt(Effect.sleep(1), () => Effect.sync(() => left++)))
          yield* Effect.all([guest, guest, guest], { concurrency: concurrent ? "unbounded" : 1 })
          if (left === 2) l.acquire("turnstile")
        })
      for (const concurrent of [false, true]) {
        const single = yield* InterruptLab.verify(make(concurrent))
        const pairs = yield* InterruptLab.explore(make(concurrent), { pairs: true })
        assert.isAbove(pairs.runs, single.runs * 3)
        assert.deepStrictEqual(problems(pairs), ["turnstile#1 was acquired and never released"])
        for (const { problems, token } of pairs.failures) {
          const run = yield* InterruptLab.replay(make(concurrent), token)
          assert.strictEqual(new Set(run.interruptions.map(({ victim }) => victim)).size, 2)
          assert.deepStrictEqual(run.problems, problems)
        }
      }
    }))

  it.effect("samples when there are more points than the budget allows, and reports the seed", () =>
    Effect.gen(function*() {
      const make = correct["a stream with a buffer"]!
      const report = yield* InterruptLab.verify(make, { budget: { runs: 50 }, seed: 3 })
      assert.strictEqual(report.runs, 50)
      assert.deepStrictEqual(report.sampled, { planned: 412, seed: 3 })
      const late = (l: Ledger) =>
        Effect.andThen(work, Effect.flatMap(l.open("a"), (lease) => Effect.onExit(work, () => l.close(lease))))
      const all = yield* InterruptLab.explore(late)
      // A sample that finds the bug still reports its first point.
      for (let seed = 0; seed < 20; seed++) {
        const some = yield* InterruptLab.explore(late, { budget: { runs: 20 }, seed })
        assert.isAtMost(some.runs, 20)
        if (some.simplest !== undefined) assert.deepStrictEqual(some.simplest.plan.points, all.simplest!.plan.points)
      }
      // With a time limit the points come in any order, and the first one is still reported.
      for (const points of [["park"], ["task", "idle"]] as const) {
        const inOrder = yield* InterruptLab.explore(wrong["closes only when all goes well"]!, { points })
        for (let seed = 0; seed < 5; seed++) {
          const shuffled = yield* InterruptLab.explore(wrong["closes only when all goes well"]!, {
            points,
            seed,
            budget: { time: "1 hour" }
          })
          assert.strictEqual(shuffled.failures.length, inOrder.failures.length)
          assert.deepStrictEqual(shuffled.simplest!.plan.points, inOrder.simplest!.plan.points)
        }
      }
      const timed = yield* InterruptLab.explore(make, { budget: { time: 0 } })
      assert.strictEqual(timed.runs, 1)
    }))

  it.effect("searches for an earlier point only among the possible points", () =>
    Effect.gen(function*() {
      // Loses its item only at a point where no scheduler that counts operations can park a fiber.
      const handed = (l: Ledger) => {
        type Lease = ReturnType<Ledger["acquire"]>
        let receive: ((lease: Effect.Effect<Lease>) => void) | undefined
        const receiving = Effect.callback<Lease>((resume) => {
          receive = resume
          return Effect.sync(() => {
            receive = undefined
          })
        })
        const handing = Effect.andThen(
          Effect.sleep(1),
          Effect.sync(() => receive?.(Effect.succeed(l.acquire("handed"))))
        )
        return Effect.andThen(
          Effect.forkChild(handing),
          Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(receiving), (lease) => l.close(lease)))
        )
      }
      yield* InterruptLab.verify(handed)
      const everywhere = yield* InterruptLab.explore(handed, { points: ["park", "task", "idle", "delivery"] })
      assert.deepStrictEqual(problems(everywhere), ["handed#1 was acquired and never released"])
      const make = (l: Ledger) => Effect.andThen(handed(l), wrong["closes only when all goes well"]!(l))
      for (let seed = 0; seed < 5; seed++) {
        const { simplest } = yield* InterruptLab.explore(make, { budget: { runs: 30 }, seed })
        assert.deepStrictEqual(simplest?.problems, ["a#1 was acquired and never released"])
      }
    }))

  it.effect("reports its progress", () =>
    Effect.gen(function*() {
      const seen: Array<InterruptLab.Progress> = []
      yield* InterruptLab.verify(
        () => Effect.forEach(Array.from({ length: 900 }), () => Effect.yieldNow, { discard: true }),
        { onProgress: (progress) => Effect.sync(() => seen.push(progress)) }
      )
      assert.isAbove(seen.length, 0)
      assert.isTrue(seen.every(({ planned, runs }) => runs <= planned))
    }), patient)

  it.effect("takes the same path in 500 repetitions", () =>
    Effect.gen(function*() {
      const make = correct["children, a race and a timeout"]!
      const ways = new Set<string>()
      for (let i = 0; i < 500; i++) {
        const { operations } = yield* InterruptLab.replay(make, "lab1/order=seed.5/op=40")
        ways.add(operations.map(({ fiber, name, op }) => `${op} ${fiber} ${name}`).join("\n"))
      }
      assert.strictEqual(ways.size, 1)
    }), patient)

  it.effect("fails when a program takes a different path each time", () =>
    Effect.gen(function*() {
      let calls = 0
      const error = yield* Effect.flip(
        InterruptLab.explore(() => Effect.forEach(Array.from({ length: calls++ }), () => Effect.yieldNow))
      )
      assert.instanceOf(error, InterruptLab.NotDeterministic)
    }))

  it.effect("explores a program again when only its first run is different", () =>
    Effect.gen(function*() {
      let cache: string | undefined
      const report = yield* InterruptLab.verify(() =>
        Effect.suspend(() => cache === undefined ? Effect.as(Effect.sleep(1), cache = "warm") : Effect.yieldNow)
      )
      assert.strictEqual(report.undisturbed.idles, 0)
    }))

  describe("replay", () => {
    const make = wrong["acquires uninterruptibly, with the finalizer outside"]!

    it.effect("repeats exactly the run of a token, for each failure", () =>
      Effect.gen(function*() {
        for (const order of ["fifo", "random"] as const) {
          const report = yield* InterruptLab.explore(make, { order, seed: 9 })
          assert.isAbove(report.failures.length, 5)
          for (const { plan, problems, token } of report.failures) {
            const run = yield* InterruptLab.replay(make, token)
            assert.deepStrictEqual(run.problems, problems)
            assert.deepStrictEqual(run.plan, plan)
            assert.deepStrictEqual(run.interruptions.map(({ point }) => point), plan.points)
          }
        }
      }))

    it.effect("rejects the token of another program", () =>
      Effect.gen(function*() {
        const { simplest } = yield* InterruptLab.explore(make)
        const other = (l: Ledger) => Effect.andThen(Effect.yieldNow, make(l))
        const error = yield* Effect.flip(InterruptLab.replay(other, simplest!.token))
        assert.include(error.message, "the program has changed")
        const short = yield* Effect.flip(InterruptLab.replay(() => Effect.void, simplest!.token))
        assert.include(short.message, "ends before it reaches the point")
        // Finalizers that the lab runs after the program are not points.
        const closing = (l: Ledger) => Effect.andThen(l.resource("a", { closes: 1 }), Effect.void)
        const { undisturbed } = yield* InterruptLab.verify(closing)
        const late = yield* Effect.flip(InterruptLab.replay(closing, `lab1/op=${undisturbed.ops}`))
        assert.include(late.message, "ends before it reaches the point")
        assert.include((yield* Effect.flip(InterruptLab.replay(make, "op 6"))).message, "Copy the whole token")
      }))
  })

  describe("in a property", () => {
    it.effect.prop(
      "passes for every script",
      { script: Script.Script, seed: Schema.Int },
      ({ script, seed }) => InterruptLab.verify(program(script), { order: "random", seed }),
      { arbitrary: { runs: 50, seed: 1 } }
    )

    it.effect("shrinks the program, the point and the order", () =>
      Effect.gen(function*() {
        const result = yield* Arbitrary.checkEffect(
          Arbitrary.schema(Script.Script),
          (script) => Effect.as(InterruptLab.verify(program(script, true), { order: "random", seed: 5 }), true),
          { runs: 300, seed: 42 }
        )
        assert.strictEqual(result._tag, "Falsified")
        if (result._tag !== "Falsified" || result.failure._tag !== "PropertyError") return
        assert.deepStrictEqual(result.shrunkInput, [{ op: "use", n: 3, body: [] }])
        const { report } = result.failure.error as InterruptLab.NotInterruptSafe
        assert.deepStrictEqual(report.simplest?.problems, ["r#1 was acquired and never released"])
        assert.deepStrictEqual(report.simplest?.plan.order, { _tag: "Fifo" })
        assert.strictEqual(report.simplest?.plan.points[0]?._tag, "Park")
      }))

    it.effect("keeps only the relevant choices of an order", () =>
      Effect.gen(function*() {
        // Fails only when the second fiber runs first.
        const make = (l: Ledger) =>
          Effect.gen(function*() {
            const order: Array<number> = []
            yield* Effect.forEach(
              [1, 2, 3, 4],
              (n) => Effect.andThen(Effect.yieldNow, Effect.sync(() => order.push(n))),
              { concurrency: "unbounded" }
            )
            if (order.indexOf(2) < order.indexOf(1)) l.acquire("lost")
          })
        yield* InterruptLab.verify(make)
        for (let seed = 0; seed < 10; seed++) {
          const report = yield* InterruptLab.explore(make, { order: "random", orders: 20, seed: seed * 20 })
          const order = report.simplest!.plan.order
          assert.strictEqual(order._tag, "Choices")
          if (order._tag === "Choices") assert.strictEqual(order.choices.filter((choice) => choice !== 0).length, 1)
          const again = yield* InterruptLab.replay(make, report.simplest!.token)
          assert.deepStrictEqual(again.problems, ["lost#1 was acquired and never released"])
        }
        // If several choices remain, all of them are necessary.
        const two = (l: Ledger) =>
          Effect.gen(function*() {
            const order: Array<number> = []
            const turn = (n: number) => Effect.andThen(Effect.yieldNow, Effect.sync(() => order.push(n)))
            yield* Effect.forEach([1, 2, 3, 4, 5], turn, { concurrency: "unbounded" })
            const first = (a: number, b: number) => order.indexOf(a) < order.indexOf(b)
            if (first(2, 1) && first(5, 4)) l.acquire("lost")
          })
        for (let seed = 0; seed < 10; seed++) {
          const report = yield* InterruptLab.explore(two, { order: "random", orders: 40, seed: seed * 40 })
          const order = report.simplest!.plan.order
          const choices = order._tag === "Choices" ? order.choices : []
          assert.isAbove(choices.filter((choice) => choice !== 0).length, 1)
          for (const [at, choice] of choices.entries()) {
            if (choice === 0) continue
            const without = yield* InterruptLab.replay(two, `lab1/order=${choices.with(at, 0).join(".")}`)
            assert.deepStrictEqual(without.problems, [])
          }
        }
      }))
  })

  // it.live: promises settle on the real event loop.
  describe("with promises", () => {
    async function* finite(l: Ledger) {
      const lease = l.acquire("generator")
      try {
        for (let i = 0; i < 5; i++) {
          await Promise.resolve()
          yield i
        }
      } finally {
        await Promise.resolve()
        l.release(lease)
      }
    }

    it.live("reports no failure of a stream over an async generator", () =>
      Effect.gen(function*() {
        const report = yield* InterruptLab.verify(
          (l) => Stream.runDrain(Stream.take(Stream.fromAsyncIterable(finite(l), String), 2)),
          { driver: "async" }
        )
        assert.strictEqual(report.unreached, 0)
        assert.isAbove(report.points.idle, 2)
      }))

    it.live("reports a generator that is not returned", () =>
      Effect.gen(function*() {
        const pull = (l: Ledger) =>
          Effect.gen(function*() {
            const generator = finite(l)
            for (;;) {
              const next = yield* Effect.promise(() => generator.next())
              if (next.done === true) return
              yield* Effect.sleep(1)
            }
          })
        const report = yield* InterruptLab.explore(pull, { driver: "async" })
        assert.deepStrictEqual(problems(report), ["generator#1 was acquired and never released"])
        assert.isAbove(kinds(report).Park!, 10)
        // While the first promise is pending.
        assert.isTrue(report.failures.some(({ token }) => token.startsWith("lab1/async/idle=1")))
        const run = yield* InterruptLab.replay(pull, report.simplest!.token)
        assert.deepStrictEqual(run.problems, report.simplest!.problems)
      }))

    it.live("reports a connection that arrives after the interruption", () =>
      Effect.gen(function*() {
        const connect = async (l: Ledger) => {
          await Promise.resolve()
          return l.acquire("connection")
        }
        const use = (l: Ledger, open: Effect.Effect<ReturnType<Ledger["acquire"]>>) =>
          Effect.acquireUseRelease(open, () => Effect.sleep(1), (lease) => l.close(lease))
        yield* InterruptLab.verify((l) => use(l, Effect.promise(() => connect(l))), { driver: "async" })
        const report = yield* InterruptLab.explore(
          (l) => use(l, Effect.interruptible(Effect.promise(() => connect(l)))),
          { driver: "async" }
        )
        assert.include(Object.keys(kinds(report)), "Idle")
      }))

    it.live("waits for the given time for external events", () =>
      Effect.gen(function*() {
        const outside = () => Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 5)))
        const hasty = yield* InterruptLab.explore(outside, { driver: "async" })
        assert.match(problems(hasty)[0]!, /never ended.*settle/)
        yield* InterruptLab.verify(outside, { driver: "async", settle: "1 second" })
      }))
  })

  it.effect("names operations so that random programs can use them", () =>
    Effect.gen(function*() {
      const script: Script.Script = [{ op: "use", n: 3, body: [] }]
      const report = yield* InterruptLab.explore((l) => Script.toEffect(script, operations(l, true)))
      assert.isAbove(report.failures.length, 0)
      assert.isUndefined((yield* InterruptLab.explore((l) => Script.toEffect(script, operations(l, false)))).simplest)
      assert.isDefined(Fiber)
      assert.isDefined(Scope)
    }))
})

/** Four items are offered, and a consumer of them is interrupted. */
const consuming = (
  consume: (queue: Queue.Queue<number>, done: (item: number) => Effect.Effect<void>) => Effect.Effect<void>
) =>
(l: Ledger) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<number>()
    for (const item of [1, 2, 3, 4]) {
      yield* Queue.offer(queue, item)
      l.offered(item)
    }
    const done = (item: number) => Effect.sync(() => l.delivered(item))
    yield* InterruptLab.subject(Effect.forEach([1, 2, 3, 4], () => consume(queue, done)))
    for (const item of yield* Queue.clear(queue)) l.remaining(item)
  })
