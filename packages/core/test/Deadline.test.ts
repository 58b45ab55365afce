import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import {
  Cause,
  Config,
  ConfigProvider,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  References,
  Schema
} from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/Deadline.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InterruptLab } from "../src/testing/index.ts"

const stubborn = Effect.fn("stubborn")(function*(duration: Duration.Input) {
  yield* Effect.uninterruptible(Effect.sleep(duration))
})

/** The log entries while the effect runs, one line each. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push([message].flat().map((part) => Cause.isCause(part) ? Cause.pretty(part).split("\n")[0] : part).join(" "))
  })
  return Effect.map(
    Effect.provideService(effect, References.CurrentLoggers, new Set([logger])),
    (value) => [value, lines] as const
  )
}

/** The slow tier tries more programs, and more points of each. */
const effort = process.env["FIBERSCOPE_SLOW"] === undefined ? 1 : 20

describe("Deadline", () => {
  it.effect("interrupts at the deadline, runs the finalizers, and fails with label, budget and elapsed time", () =>
    Effect.gen(function*() {
      let finalized = false
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => finalized = true))
      const fiber = yield* Effect.forkChild(Effect.flip(Deadline.within(work, "2 seconds", "checkout")))
      yield* TestClock.adjust("1999 millis")
      assert.isFalse(finalized)
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      assert.isTrue(finalized)
      assert.deepStrictEqual(
        [error.label, Duration.toMillis(error.budget), Duration.toMillis(error.elapsed), error.orphaned],
        ["checkout", 2000, 2000, false]
      )
      assert.strictEqual(error.message, "\"checkout\" exceeded its deadline: 2s elapsed, budget 2s")
    }))

  it("rounds times in messages to milliseconds", () => {
    const [budget, elapsed] = [Duration.micros(1_000_400n), Duration.nanos(1_003_094_239n)]
    const error = new Deadline.DeadlineExceeded({ label: "checkout", budget, elapsed, orphaned: false })
    assert.strictEqual(error.message, "\"checkout\" exceeded its deadline: 1s 3ms elapsed, budget 1s")
    assert.strictEqual(error.elapsed, elapsed)
  })

  it.effect("passes results and failures through before the deadline", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Deadline.within(Effect.succeed(1), "1 second"), 1)
      assert.strictEqual(yield* Effect.flip(Effect.fail("no").pipe(Deadline.within("1 second", "x"))), "no")
      assert.strictEqual(yield* Deadline.within(Effect.succeed(1), Duration.infinity), 1)
    }))

  it.effect("never lets a nested deadline extend the enclosing one, and names the one that passed", () =>
    Effect.gen(function*() {
      const inner = Effect.gen(function*() {
        assert.strictEqual(Duration.toMillis(yield* Deadline.remaining), 1000)
        return yield* Deadline.within(Effect.never, "1 minute", "inner")
      })
      const fiber = yield* Effect.forkChild(Effect.flip(Deadline.within(inner, "1 second", "outer")))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).label, "outer")
    }))

  it.effect("is inherited by children, and cleared by unbounded", () =>
    Effect.gen(function*() {
      const left = Effect.map(Deadline.remaining, Duration.toMillis)
      const program = Effect.gen(function*() {
        const child = yield* Effect.forkChild(left)
        return [yield* Fiber.join(child), yield* Deadline.unbounded(left)]
      })
      assert.deepStrictEqual(yield* Deadline.within(program, "5 seconds"), [5000, Infinity])
      assert.strictEqual(yield* left, Infinity)
    }))

  it.effect("does not start an effect when no time remains", () =>
    Effect.gen(function*() {
      let started = false
      const error = yield* Effect.flip(Deadline.within(Effect.sync(() => started = true), 0, "late"))
      assert.isFalse(started)
      assert.strictEqual(error.label, "late")
    }))

  it.effect("takes an instant as well as a duration", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(10_000)
      const left = Effect.map(Deadline.remaining, Duration.toMillis)
      assert.strictEqual(yield* Deadline.at(left, 12_500, "from a message"), 2500)
      assert.strictEqual((yield* Effect.flip(Deadline.at(left, 9_000, "from a message"))).label, "from a message")
    }))

  it.effect("reserves time for the work after the effect", () =>
    Effect.gen(function*() {
      const program = Deadline.reserve(Effect.never, "300 millis").pipe(
        Effect.catchTag("DeadlineExceeded", () => Deadline.remaining)
      )
      const fiber = yield* Effect.forkChild(Deadline.within(program, "1 second"))
      yield* TestClock.adjust("700 millis")
      assert.strictEqual(Duration.toMillis(yield* Fiber.join(fiber)), 300)
      assert.strictEqual(yield* Deadline.reserve(Effect.succeed("as it is"), "1 hour"), "as it is")
      const none = yield* Effect.flip(Deadline.within(Deadline.reserve(Effect.void, "2 seconds"), "1 second", "short"))
      assert.strictEqual(none.label, "short")
    }))

  it.effect("gives clean-up its own time after the deadline has passed", () =>
    Effect.gen(function*() {
      const ends: Array<string> = []
      const note = (exit: Exit.Exit<unknown, unknown>, name: string) =>
        Effect.sync(() => void ends.push(`${name} ${exit._tag}`))
      const cleanUp = Effect.sleep("1 second")
      const work = Effect.never.pipe(
        Effect.onInterrupt(() =>
          Effect.andThen(
            Effect.flatMap(Effect.exit(Deadline.within(cleanUp, "2 seconds")), (exit) => note(exit, "bounded")),
            Effect.flatMap(
              Effect.exit(Deadline.unbounded(Deadline.within(cleanUp, "2 seconds"))),
              (exit) => note(exit, "unbounded")
            )
          )
        )
      )
      const fiber = yield* Effect.forkChild(Effect.flip(Deadline.within(work, "1 second")))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(ends, ["bounded Failure", "unbounded Success"])
    }))

  it.effect("aborts a signal at the deadline, and at the end of the scope", () =>
    Effect.gen(function*() {
      const scoped = Effect.scoped(Deadline.signal)
      assert.isTrue((yield* scoped).aborted)
      const atDeadline = yield* Effect.forkChild(
        Effect.scoped(Effect.gen(function*() {
          const signal = yield* Deadline.signal
          assert.isFalse(signal.aborted)
          yield* Effect.exit(Effect.uninterruptible(Effect.sleep("2 seconds")))
          return signal.reason
        })).pipe(Deadline.within("1 second", "fetch"), Effect.exit)
      )
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(atDeadline)))
      const late = Effect.scoped(Effect.map(Deadline.signal, ({ reason }) => reason))
      const reason = yield* Effect.flip(Deadline.within(Deadline.reserve(late, "2 seconds"), "1 second", "fetch"))
      assert.strictEqual(reason.label, "fetch")
    }))

  it.effect("gives the signal the deadline as its reason", () =>
    Effect.gen(function*() {
      let signal: AbortSignal | undefined
      const work = Effect.scoped(Effect.gen(function*() {
        signal = yield* Deadline.signal
        yield* Effect.uninterruptible(Effect.sleep("2 seconds"))
      }))
      const fiber = yield* Effect.forkChild(Effect.exit(Deadline.within(work, "1 second", "fetch")))
      yield* TestClock.adjust("1500 millis")
      assert.instanceOf(signal?.reason, Deadline.DeadlineExceeded)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
    }))

  describe("abandon", () => {
    it.effect("continues at the deadline with uninterruptible work, for which Effect.timeout waits", () =>
      Effect.gen(function*() {
        const plain = yield* Effect.forkChild(Effect.exit(Effect.timeout(stubborn("300 millis"), "50 millis")))
        const ours = yield* Effect.forkChild(
          Effect.exit(Deadline.abandon(stubborn("300 millis"), "50 millis", "driver"))
        )
        yield* TestClock.adjust("50 millis")
        assert.isUndefined(plain.pollUnsafe())
        assert.isDefined(ours.pollUnsafe())
        yield* TestClock.adjust("250 millis")
        assert.isDefined(plain.pollUnsafe())
      }).pipe(Effect.provide(Deadline.Deadline.layer())))

    it.effect("registers, counts and reports abandoned work until it ends", () =>
      Effect.gen(function*() {
        const { orphans } = yield* Deadline.Deadline
        const [error, lines] = yield* logged(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            Effect.flip(
              Deadline.abandon(Effect.andThen(stubborn("10 seconds"), Effect.die("too late")), "1 second", "driver")
            )
          )
          yield* TestClock.adjust("3 seconds")
          const [orphan, ...others] = yield* orphans
          assert.lengthOf(others, 0)
          assert.deepStrictEqual(
            [orphan?.label, orphan?.site.runs?.name ?? orphan?.site.fork?.name, Duration.toMillis(orphan!.age)],
            ["driver", "stubborn", 3000]
          )
          const gauges = yield* Metric.snapshot
          const value = (id: string) =>
            gauges.find((metric) => metric.id === id && metric.attributes?.["name"] === "mine")?.state
          assert.deepInclude(value("fiberscope_deadline_orphans"), { value: 1 })
          assert.deepInclude(value("fiberscope_deadline_abandoned_total"), { count: 1 })
          yield* TestClock.adjust("10 seconds")
          assert.lengthOf(yield* orphans, 0)
          return yield* Fiber.join(fiber)
        }))
        assert.isTrue(error.orphaned)
        assert.match(error.message, /still runs: see Deadline.orphans$/)
        assert.match(
          lines[0]!,
          /^"driver" did not respond to interruption and was abandoned, still running: .*stubborn/
        )
        assert.strictEqual(lines[1], "\"driver\", which was abandoned, ended after 10s")
        assert.lengthOf(lines, 2)
      }).pipe(Effect.provide(Deadline.Deadline.layer({ name: "mine" }))))

    it.effect("does not register work that responds to its interruption", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.flip(Deadline.abandon(Effect.never, "1 second", "polite")))
        yield* TestClock.adjust("1 second")
        assert.isFalse((yield* Fiber.join(fiber)).orphaned)
      }).pipe(Effect.provide(Deadline.Deadline.layer())))

    it.effect("makes an interrupted caller wait for the work, but no longer than the deadline", () =>
      Effect.gen(function*() {
        const { orphans } = yield* Deadline.Deadline
        const fiber = yield* Effect.forkChild(Deadline.abandon(stubborn("10 seconds"), "2 seconds", "driver"))
        yield* TestClock.adjust("1 second")
        fiber.interruptUnsafe()
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.isDefined(fiber.pollUnsafe())
        assert.lengthOf(yield* orphans, 1)
        yield* TestClock.adjust("10 seconds")
      }).pipe(Effect.provide(Deadline.Deadline.layer())))

    it.effect("ends its layer after the grace, and names the orphans", () =>
      Effect.gen(function*() {
        const [, lines] = yield* logged(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            Effect.exit(Deadline.abandon(stubborn("1 hour"), "1 second", "driver")).pipe(
              Effect.provide(Deadline.Deadline.layer({ closeGrace: "3 seconds" }))
            )
          )
          yield* TestClock.adjust("3999 millis")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          assert.isDefined(fiber.pollUnsafe())
        }))
        assert.match(lines[1]!, /^"driver" is still running after its layer has ended: .*stubborn/)
        yield* TestClock.adjust("1 hour")
      }))

    it.effect("reads its options from the configuration", () =>
      Effect.gen(function*() {
        const layer = Deadline.Deadline.layerConfig({ closeGrace: Config.Duration("GRACE") })
        const config = (values: object) => ConfigProvider.layer(ConfigProvider.fromUnknown(values))
        const fiber = yield* Effect.forkChild(
          Effect.exit(Deadline.abandon(stubborn("1 hour"), "1 second", "driver")).pipe(
            Effect.provide(Layer.provide(layer, config({ GRACE: "1 second" })))
          )
        )
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(fiber.pollUnsafe())
        const missing = yield* Effect.exit(
          Layer.build(layer).pipe(
            Effect.scoped,
            Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
          )
        )
        assert.isTrue(Exit.isFailure(missing))
        yield* TestClock.adjust("1 hour")
      }))
  })

  describe("for random programs, interrupted at every point", () => {
    const Leaf = Schema.Struct({
      op: Schema.Literals(["yield", "sleep", "long", "use", "fail", "stubborn", "signal"]),
      ms: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
    })
    const Node = <S extends Schema.Top>(body: S) =>
      Schema.Struct({
        op: Schema.Literals(["within", "reserve", "unbounded", "abandon", "fork"]),
        ms: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 })),
        body: Schema.Array(body).check(Schema.isMaxLength(2))
      })
    const Inner = Schema.Union([Leaf, Node(Leaf)])
    const Script = Schema.Array(Schema.Union([Leaf, Node(Inner)])).check(Schema.isMaxLength(3))

    type Step = typeof Leaf.Type | {
      readonly op: "within" | "reserve" | "unbounded" | "abandon" | "fork"
      readonly ms: number
      readonly body: ReadonlyArray<Step>
    }

    const clock = Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)

    /** Runs a script. `left` is the remaining time of the enclosing program, which no part of it may exceed. */
    const interpret = (steps: ReadonlyArray<Step>, ledger: Ledger, left: number): Effect.Effect<
      void,
      unknown,
      Deadline.Deadline | Scope.Scope
    > =>
      Effect.gen(function*() {
        const began = yield* clock
        // A failing assertion in a forked part would be lost: it is recorded in the ledger.
        const check = (name: string, value: number, most: number) => {
          if (value > most) ledger.always(`${name}: ${value} > ${most}`, () => false)
        }
        const first = Duration.toMillis(yield* Deadline.remaining)
        check("nobody is told more than is left around", first, left)
        for (const step of steps) {
          const now = Duration.toMillis(yield* Deadline.remaining)
          check("time that goes by is gone", now, Math.max(0, first - ((yield* clock) - began)))
          switch (step.op) {
            case "yield":
              yield* Effect.yieldNow
              break
            case "sleep":
              yield* Effect.sleep(step.ms)
              break
            case "long": // longer than the grace of the lab for remaining fibers
              yield* Effect.sleep("5 minutes")
              break
            case "stubborn":
              yield* Effect.uninterruptible(Effect.sleep(step.ms))
              break
            case "fail":
              return yield* Effect.fail("boom")
            case "signal":
              yield* Deadline.signal
              break
            case "use":
              yield* Effect.acquireUseRelease(
                ledger.open("a", { takes: 1 }),
                () => Effect.sleep(step.ms),
                (lease) => ledger.close(lease, { takes: 2 })
              )
              break
            case "fork":
              yield* Effect.forkChild(interpret(step.body, ledger, now))
              break
            case "unbounded":
              yield* Deadline.unbounded(interpret(step.body, ledger, Infinity))
              break
            case "reserve":
              yield* Effect.ignore(Deadline.reserve(interpret(step.body, ledger, now), step.ms))
              break
            case "within":
              yield* Effect.ignore(Deadline.within(interpret(step.body, ledger, Math.min(now, step.ms)), step.ms))
              break
            case "abandon": {
              const before = yield* clock
              yield* Effect.ignore(
                Deadline.abandon(interpret(step.body, ledger, Math.min(now, step.ms)), step.ms, "left")
              )
              check("abandon goes on at its deadline", (yield* clock) - before, Math.min(now, step.ms))
              break
            }
          }
        }
      })

    const orders = ["fifo", "random"] as const

    for (const order of orders) {
      it.effect.prop(
        `leaves no lease, fiber or timer, and extends no deadline (${order} order)`,
        { script: Script },
        ({ script }) =>
          InterruptLab.verify(
            (ledger) =>
              Effect.scoped(interpret(script, ledger, Infinity)).pipe(Effect.provide(Deadline.Deadline.layer())),
            { order, seed: script.length }
          ),
        { arbitrary: { runs: 30 * effort }, timeout: 60_000 }
      )
    }

    it.effect(
      "does so with failing, dying and slow parts, interrupted twice",
      () =>
        InterruptLab.verify((ledger) =>
          Effect.scoped(interpret(
            [
              {
                op: "within",
                ms: 6,
                body: [{ op: "use", ms: 3 }, { op: "reserve", ms: 2, body: [{ op: "use", ms: 9 }] }]
              },
              { op: "abandon", ms: 4, body: [{ op: "use", ms: 2 }, { op: "stubborn", ms: 9 }] }
            ],
            ledger,
            Infinity
          )).pipe(Effect.provide(Deadline.Deadline.layer())), {
          inject: ["failingAcquire", "dyingRelease", "slowRelease"],
          pairs: true,
          budget: { runs: 600 * effort }
        }),
      60_000
    )
  })
})
