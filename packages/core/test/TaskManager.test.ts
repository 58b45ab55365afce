import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import {
  Cause,
  Config,
  ConfigProvider,
  Deferred,
  Duration,
  Effect,
  ErrorReporter,
  Exit,
  Fiber,
  FiberSet,
  Layer,
  Logger,
  Metric,
  Option,
  References,
  Schedule,
  Schema
} from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/Deadline.ts"
import { renderSite } from "../src/FiberSite.ts"
import type { TaskManagerOptions } from "../src/TaskManager.ts"
import { make, TaskManager } from "../src/TaskManager.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InjectedFailure, InterruptLab } from "../src/testing/index.ts"

const manager = (options?: Partial<TaskManagerOptions>) => make({ name: "test", maxRunning: 2, ...options })

const stubborn = Effect.fn("stubborn")(function*(duration: Duration.Input) {
  yield* Effect.uninterruptible(Effect.sleep(duration))
})

/** The logs and reports while the effect runs. */
const heard = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const reports: Array<string> = []
  const logger = Logger.make(({ cause, message }) => {
    lines.push([message].flat().concat(cause.reasons.length === 0 ? [] : Cause.pretty(cause).split("\n")[0]).join(" "))
  })
  const reporter = ErrorReporter.make(({ error }) => void reports.push(error.message))
  return Effect.map(
    Effect.provideService(
      Effect.provideService(effect, References.CurrentLoggers, new Set([logger])),
      ErrorReporter.CurrentErrorReporters,
      new Set([reporter])
    ),
    (value) => ({ value, lines, reports })
  )
}

const metric = (id: string, name: string) =>
  Effect.map(
    Metric.snapshot,
    (all) => all.find((one) => one.id === `fiberscope_taskmanager_${id}` && one.attributes?.["name"] === name)?.state
  )

/** The slow tier tries more programs, and more points of each. */
const effort = process.env["FIBERSCOPE_SLOW"] === undefined ? 1 : 20

describe("TaskManager", () => {
  it.effect("runs a task in the context of the caller, and returns its result", () =>
    Effect.gen(function*() {
      const tasks = yield* manager()
      const task = yield* tasks.spawn("answer", Effect.andThen(Effect.sleep("1 second"), Effect.succeed(42)))
      assert.deepStrictEqual((yield* tasks.tasks).map(({ age, label }) => [label, Duration.toMillis(age)]), [[
        "answer",
        0
      ]])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* task.join, 42)
      assert.deepStrictEqual(yield* task.await, Exit.succeed(42))
      assert.deepStrictEqual(yield* tasks.tasks, [])
    }))

  it.effect("makes callers wait in order when no place is free, and refuses more than maxPending", () =>
    Effect.gen(function*() {
      const tasks = yield* manager({ maxRunning: 1, maxPending: 2 })
      const order: Array<number> = []
      const spawned = (n: number) =>
        tasks.spawn(`task ${n}`, Effect.andThen(Effect.sync(() => order.push(n)), Effect.sleep("1 second")))
      const all = yield* Effect.forEach([1, 2, 3], (n) => Effect.forkChild(spawned(n), { startImmediately: true }))
      assert.deepStrictEqual(order, [1])
      const rejected = yield* Effect.flip(spawned(4))
      assert.strictEqual(rejected._tag, "TaskRejected")
      assert.match(
        rejected.message,
        /"task 4" was not started: the task manager "test" has 1 running tasks and 2 waiting/
      )
      assert.deepStrictEqual(yield* tasks.trySpawn("no", Effect.void), Option.none())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, [1, 2])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, [1, 2, 3])
      yield* Fiber.joinAll(all)
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.isSome(yield* tasks.trySpawn("yes", Effect.void)))
    }))

  it.effect("starts nothing for a caller that is interrupted while it waits, and passes its turn on", () =>
    Effect.gen(function*() {
      const tasks = yield* manager({ maxRunning: 1 })
      const started: Array<string> = []
      const spawned = (name: string) =>
        Effect.forkChild(tasks.spawn(name, Effect.sync(() => started.push(name))), { startImmediately: true })
      yield* tasks.spawn("first", Effect.sleep("1 second"))
      const second = yield* spawned("second")
      const third = yield* spawned("third")
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(third)
      assert.deepStrictEqual(started, ["third"])
    }))

  it.effect("does not overflow the stack when tasks spawn tasks", () =>
    Effect.gen(function*() {
      const tasks = yield* manager({ maxRunning: Infinity })
      let deepest = 0
      const spawnNext = (n: number): Effect.Effect<void> =>
        Effect.gen(function*() {
          deepest = n
          if (n < 5000) yield* Effect.ignore(tasks.spawn("nested", spawnNext(n + 1)))
        })
      yield* tasks.spawn("nested", spawnNext(1))
      yield* tasks.awaitIdle
      assert.strictEqual(deepest, 5000)
    }))

  describe("failures", () => {
    it.effect("reports each failure immediately and once, while plain Effect is silent", () =>
      Effect.gen(function*() {
        const plain = yield* heard(Effect.scoped(Effect.gen(function*() {
          yield* Effect.forkScoped(Effect.fail(new Error("scoped")), { startImmediately: true })
          yield* Effect.forkDetach(Effect.fail(new Error("detached")), { startImmediately: true })
          Effect.runForkWith(yield* Effect.context())(Effect.fail(new Error("run")))
          const set = yield* FiberSet.make<void, Error>()
          yield* FiberSet.run(set, Effect.fail(new Error("first")))
          yield* FiberSet.run(set, Effect.fail(new Error("second")))
          return yield* Effect.flip(FiberSet.join(set))
        })))
        assert.deepStrictEqual([plain.value.message, plain.lines, plain.reports], ["first", [], []])

        const ours = yield* heard(Effect.gen(function*() {
          const tasks = yield* manager()
          const task = yield* tasks.spawn("one", Effect.andThen(Effect.yieldNow, Effect.fail(new Error("first"))))
          yield* tasks.spawn("two", Effect.die(new Error("second")))
          yield* Effect.exit(task.join)
          yield* tasks.spawn("three", Effect.interrupt)
          return yield* tasks.failures
        }))
        assert.deepStrictEqual(ours.lines, ["\"two\" failed Error: second", "\"one\" failed Error: first"])
        assert.deepStrictEqual(ours.reports, ["second", "first"])
        assert.deepStrictEqual(ours.value.map(({ label, task }) => [label, task]), [["two", 2], ["one", 1]])
      }))

    it.effect("keeps only the last failures, and counts all", () =>
      Effect.gen(function*() {
        const tasks = yield* manager({ name: "counted", keepFailures: 2, onFailure: "ignore" })
        const { lines } = yield* heard(
          Effect.forEach(["a", "b", "c"], (label) => tasks.spawn(label, Effect.fail(label)))
        )
        assert.deepStrictEqual((yield* tasks.failures).map(({ label }) => label), ["b", "c"])
        assert.deepStrictEqual(lines, [])
        yield* tasks.spawn("fine", Effect.void)
        assert.deepInclude(yield* metric("failed_total", "counted"), { count: 3 })
        assert.deepInclude(yield* metric("spawned_total", "counted"), { count: 4 })
      }))

    it.effect("ends all other tasks with failFast", () =>
      Effect.gen(function*() {
        const tasks = yield* manager({ onFailure: "failFast" })
        const other = yield* tasks.spawn("other", Effect.never)
        const watcher = yield* Effect.forkChild(tasks.stopping)
        yield* heard(tasks.spawn("bad", Effect.fail("no")))
        assert.isTrue(Exit.hasInterrupts(yield* other.await))
        yield* Fiber.join(watcher)
        yield* tasks.awaitIdle
        assert.strictEqual((yield* Effect.flip(tasks.spawn("late", Effect.void)))._tag, "TaskManagerClosed")
        assert.deepStrictEqual((yield* tasks.failures).map(({ label }) => label), ["bad"])
      }))

    it.effect("ends tasks that were not suspended yet with failFast, too", () =>
      Effect.gen(function*() {
        const tasks = yield* manager({ onFailure: "failFast" })
        const parent = yield* tasks.spawn(
          "parent",
          Effect.andThen(Effect.ignore(tasks.trySpawn("child", Effect.fail("no"))), Effect.sleep("1 hour"))
        ).pipe(heard)
        assert.isTrue(Exit.hasInterrupts(yield* parent.value.await))
      }))

    it.effect("restarts a failing task according to the schedule, and reports every attempt once", () =>
      Effect.gen(function*() {
        let attempts = 0
        const flaky = Effect.suspend(() =>
          ++attempts < 3 ? Effect.fail(new Error(`attempt ${attempts}`)) : Effect.never
        )
        const { lines } = yield* heard(Effect.gen(function*() {
          const tasks = yield* manager({ name: "restarts", restart: Schedule.spaced("1 second") })
          yield* tasks.spawn("flaky", flaky)
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(attempts, 3)
          assert.deepInclude(yield* metric("restarted_total", "restarts"), { count: 2 })
          const task = yield* tasks.spawn("dies", Effect.die(new Error("always")), { restart: Schedule.recurs(1) })
          assert.isTrue(Exit.hasDies(yield* task.await))
          yield* tasks.stop({ grace: 0 })
        }))
        assert.deepStrictEqual(lines, [
          "\"flaky\" failed Error: attempt 1",
          "\"flaky\" failed Error: attempt 2",
          "\"dies\" failed Error: always",
          "\"dies\" failed Error: always"
        ])
      }))
  })

  describe("spawnReady", () => {
    it.effect("returns when the task is ready, and the task continues", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        const fiber = yield* Effect.forkChild(tasks.spawnReady("server", (ready) =>
          Effect.gen(function*() {
            yield* Effect.sleep("1 second")
            yield* ready
            return yield* Effect.never
          })))
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const task = yield* Fiber.join(fiber)
        assert.deepStrictEqual((yield* tasks.tasks).map(({ label }) => label), ["server"])
        yield* task.interrupt
      }))

    it.effect("returns an earlier failure to the caller, and reports a later one", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        const { lines } = yield* heard(Effect.gen(function*() {
          assert.strictEqual(
            yield* Effect.flip(tasks.spawnReady("port taken", () => Effect.fail("EADDRINUSE"))),
            "EADDRINUSE"
          )
          const late = yield* tasks.spawnReady("late", (ready) => Effect.andThen(ready, Effect.fail("later")))
          yield* late.await
          const never = yield* Effect.flip(tasks.spawnReady("silent", () => Effect.void))
          assert.match(never instanceof Error ? never.message : "", /"silent" ended before it was ready/)
        }))
        assert.deepStrictEqual(lines, ["\"late\" failed Error: later"])
      }))

    it.effect("ends the task when the caller is interrupted before the task is ready", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        const ended = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          tasks.spawnReady("slow", () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(ended)
        assert.deepStrictEqual(yield* tasks.tasks, [])
      }))

    it.effect("reports a failure that arrives after its caller has ended", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        const { lines } = yield* heard(Effect.gen(function*() {
          const slow = Effect.onInterrupt(Effect.never, () => Effect.die(new Error("in the finalizer")))
          const fiber = yield* Effect.forkChild(tasks.spawnReady("slow", () => slow), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
        }))
        assert.deepStrictEqual(lines, ["\"slow\" failed Error: in the finalizer"])
      }))
  })

  describe("stop", () => {
    it.effect("closes, notifies the tasks, waits for the grace, and interrupts the remaining ones", () =>
      Effect.gen(function*() {
        const tasks = yield* manager({ maxRunning: 3 })
        const polite = yield* tasks.spawn("polite", Effect.andThen(tasks.stopping, Effect.sleep("1 second")))
        const deaf = yield* tasks.spawn("deaf", Effect.never)
        yield* tasks.spawn("busy", Effect.sleep("3 seconds"))
        const waiting = yield* Effect.forkChild(Effect.flip(tasks.spawn("waiting", Effect.void)), {
          startImmediately: true
        })
        const stop = yield* Effect.forkChild(tasks.stop({ grace: "2 seconds", deadline: "1 minute" }), {
          startImmediately: true
        })
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "TaskManagerClosed")
        yield* TestClock.adjust("2 seconds")
        const report = yield* Fiber.join(stop)
        assert.deepStrictEqual({ ...report, elapsed: Duration.toMillis(report.elapsed) }, {
          finished: 1,
          interrupted: 2,
          stuck: [],
          elapsed: 2000
        })
        assert.isTrue(Exit.isSuccess(yield* polite.await))
        assert.isTrue(Exit.hasInterrupts(yield* deaf.await))
      }))

    it.effect("ends as soon as all tasks have ended, before its grace is over", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        yield* tasks.spawn("short", Effect.sleep("1 second"))
        const stop = yield* Effect.forkChild(tasks.stop({ grace: "1 hour" }))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(Duration.toMillis((yield* Fiber.join(stop)).elapsed), 1000)
      }))

    it.effect("ends at its deadline and names stuck tasks with site and age, while a scope waits forever", () =>
      Effect.gen(function*() {
        const plain = yield* Effect.forkChild(
          Effect.scoped(Effect.forkScoped(stubborn("1 hour"), { startImmediately: true }))
        )
        yield* TestClock.adjust("59 minutes")
        assert.isUndefined(plain.pollUnsafe())
        yield* TestClock.adjust("1 minute")
        assert.isDefined(plain.pollUnsafe())

        const tasks = yield* manager({ name: "stops", maxRunning: 5 })
        yield* tasks.spawn("hangs", stubborn("1 hour"))
        yield* tasks.spawn("never lets go", Effect.onInterrupt(Effect.never, () => Effect.sleep("2 hours")))
        yield* tasks.spawn("fine", Effect.never)
        yield* TestClock.adjust("7 seconds")
        const stop = yield* Effect.forkChild(tasks.stop({ grace: "1 second", deadline: "3 seconds" }))
        yield* TestClock.adjust("3 seconds")
        const report = yield* Fiber.join(stop)
        assert.strictEqual(Duration.toMillis(report.elapsed), 3000)
        assert.strictEqual(report.interrupted, 1)
        assert.deepStrictEqual(
          report.stuck.map((
            { age, label, site }
          ) => [label, Duration.toMillis(age), site.runs?.name ?? site.fork?.name]),
          [["hangs", 10_000, "stubborn"], ["never lets go", 10_000, undefined]]
        )
        assert.deepInclude(yield* metric("stuck", "stops"), { value: 2 })
        const { lines } = yield* heard(TestClock.adjust("1 hour"))
        assert.deepStrictEqual(lines, [])
        assert.deepInclude(yield* metric("stuck", "stops"), { value: 1 })
        yield* TestClock.adjust("2 hours")
      }))

    /** Does not end until it is released. */
    const stuckIn = Effect.fn("stuckIn")(function*(free: Effect.Effect<unknown>) {
      yield* Effect.uninterruptible(free)
    })

    const hangs: Readonly<
      Record<string, (stuck: Effect.Effect<void>, isFree: () => boolean) => Effect.Effect<void, unknown>>
    > = {
      "cannot be interrupted": (stuck) => stuck,
      "hangs in a finalizer": (stuck) => Effect.onInterrupt(Effect.never, () => stuck),
      "hangs in a release": (stuck) => Effect.scoped(Effect.andThen(Effect.addFinalizer(() => stuck), Effect.never)),
      "waits for a child that hangs": (stuck) => Effect.andThen(Effect.forkChild(stuck), Effect.never),
      "waits for a timeout of a hanging effect": (stuck) => Effect.timeout(stuck, "1 second"),
      "hangs when it is restarted": (stuck) => {
        let attempts = 0
        return Effect.suspend(() => attempts++ === 0 ? Effect.fail("no") : stuck)
      },
      "is always busy": (_, isFree) => stuckIn(Effect.repeat(Effect.yieldNow, { until: isFree }))
    }

    /** Without a name of its own a task is identified by the fiber that spawned it. */
    const asked = Effect.fn("asked")(function*<A, E>(spawn: Effect.Effect<A, E>) {
      return yield* spawn
    })

    for (const [name, hang] of Object.entries(hangs)) {
      for (const grace of ["0 millis", "1 second"] as const) {
        it.effect(`ends by its deadline for a task that ${name}, after a grace of ${grace}, and names it`, () =>
          Effect.gen(function*() {
            const free = yield* Deferred.make<void>()
            const { value: report } = yield* heard(Effect.gen(function*() {
              const tasks = yield* manager({ maxRunning: 3, restart: Schedule.recurs(1) })
              const task = hang(stuckIn(Deferred.await(free)), () => Deferred.isDoneUnsafe(free))
              yield* asked(tasks.spawn("hangs", task))
              yield* tasks.spawn("fine", Effect.never)
              yield* Effect.forkChild(asked(tasks.spawnReady("hangs before it is ready", () => task)), {
                startImmediately: true
              })
              yield* Effect.forkChild(tasks.spawn("waits for a place", task), { startImmediately: true })
              yield* TestClock.adjust("10 millis")
              const stop = yield* Effect.forkChild(tasks.stop({ grace, deadline: "3 seconds" }), {
                startImmediately: true
              })
              yield* TestClock.adjust("2999 millis")
              assert.isUndefined(stop.pollUnsafe())
              yield* TestClock.adjust("1 millis")
              const report = yield* Fiber.join(stop)
              yield* Deferred.succeed(free, undefined)
              yield* TestClock.adjust("1 second")
              assert.deepStrictEqual(yield* tasks.tasks, [])
              return report
            })).pipe(Effect.ensuring(Deferred.succeed(free, undefined)))
            assert.strictEqual(Duration.toMillis(report.elapsed), 3000)
            assert.deepInclude(report, { finished: 0, interrupted: 1 })
            assert.deepStrictEqual(report.stuck.map(({ label }) => label), ["hangs", "hangs before it is ready"])
            for (const { age, fiber, site } of report.stuck) {
              assert.strictEqual(Duration.toMillis(age), 3010)
              assert.isAbove(fiber, 0)
              assert.match(renderSite(site), /(asked|stuckIn) \(.*TaskManager\.test\.ts:\d+/)
            }
          }))
      }
    }

    it.effect("interrupts all tasks, also when one of them ends others", () =>
      Effect.gen(function*() {
        const tasks = yield* manager({ maxRunning: 4 })
        const victims: Array<{ readonly interrupt: Effect.Effect<void> }> = []
        yield* tasks.spawn(
          "first",
          Effect.onInterrupt(
            Effect.never,
            () => Effect.forEach(victims, ({ interrupt }) => interrupt, { discard: true })
          )
        )
        for (const label of ["second", "third"]) victims.push(yield* tasks.spawn(label, Effect.never))
        yield* tasks.spawn("fourth", Effect.never)
        const report = yield* tasks.stop({ grace: 0 })
        assert.deepInclude(report, { stuck: [] })
        assert.deepStrictEqual(yield* tasks.tasks, [])
      }))

    it.effect("obeys the enclosing deadline", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        yield* tasks.spawn("hangs", stubborn("1 hour"))
        const stop = yield* Effect.forkChild(Deadline.within(tasks.stop(), "2 seconds"))
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(stop.pollUnsafe())
        yield* TestClock.adjust("1 hour")
      }))

    it.effect("can be called by a task, which continues", () =>
      Effect.gen(function*() {
        const tasks = yield* manager()
        const other = yield* tasks.spawn("other", Effect.never)
        const stopper = yield* tasks.spawn("stopper", Effect.andThen(Effect.yieldNow, tasks.stop({ grace: 0 })))
        const report = yield* stopper.join
        assert.deepStrictEqual([report.interrupted, report.stuck.length], [1, 0])
        assert.isTrue(Exit.hasInterrupts(yield* other.await))
        const immediate = yield* manager()
        assert.isDefined(yield* (yield* immediate.spawn("stopper", immediate.stop({ grace: 0 }))).join)
      }))

    it.effect("runs when the scope closes, limited by closeDeadline", () =>
      Effect.gen(function*() {
        const { lines } = yield* heard(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
            const tasks = yield* manager({ closeGrace: "1 second", closeDeadline: "4 seconds" })
            yield* tasks.spawn("hangs", stubborn("1 hour"))
          })))
          yield* TestClock.adjust("3999 millis")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          yield* Fiber.join(fiber)
          yield* TestClock.adjust("1 hour")
        }))
        assert.match(
          lines[0]!,
          /^Task "hangs" of "test" is stuck: it was interrupted and is still running after 4s \(.*stubborn/
        )
        assert.strictEqual(lines[1], "Task \"hangs\" of \"test\", which was stuck, has ended")
      }))
  })

  it.effect("awaitIdle waits for all tasks except the calling one", () =>
    Effect.gen(function*() {
      const tasks = yield* manager({ maxRunning: 1 })
      yield* tasks.awaitIdle
      yield* tasks.spawn("first", Effect.sleep("1 second"))
      yield* Effect.forkChild(tasks.spawn("second", Effect.sleep("1 second")), { startImmediately: true })
      const idle = yield* Effect.forkChild(tasks.awaitIdle)
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(idle.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(idle)
      const self = yield* tasks.spawn("self", Effect.andThen(Effect.yieldNow, tasks.awaitIdle))
      yield* self.join
    }))

  it.effect("reads its options from the configuration", () =>
    Effect.gen(function*() {
      const layer = TaskManager.layerConfig(
        { name: Config.succeed("configured"), maxRunning: Config.Int("MAX_RUNNING") },
        { restart: Schedule.recurs(1) }
      )
      const provided = (values: object) =>
        Layer.provide(layer, ConfigProvider.layer(ConfigProvider.fromUnknown(values)))
      yield* Effect.gen(function*() {
        const tasks = yield* TaskManager
        yield* tasks.spawn("one", Effect.never)
        assert.isTrue(Option.isNone(yield* tasks.trySpawn("two", Effect.void)))
      }).pipe(Effect.provide(provided({ MAX_RUNNING: 1 })))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(Layer.build(provided({}))))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.scoped(Layer.build(provided({ MAX_RUNNING: 0 }))))))
    }))

  describe("for random programs, interrupted at every point", () => {
    const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))
    const Work = Schema.Literals(["sync", "yield", "sleep", "use", "fail", "die", "forever", "stubborn", "nested"])
    const Step = Schema.Struct({
      op: Schema.Literals([
        "spawn",
        "spawn",
        "forkSpawn",
        "trySpawn",
        "spawnReady",
        "join",
        "interrupt",
        "awaitIdle",
        "sleep",
        "stop",
        "close"
      ]),
      work: Work,
      ms: small
    })
    const Script = Schema.Struct({
      maxRunning: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
      maxPending: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
      onFailure: Schema.Literals(["report", "failFast", "ignore"]),
      restart: Schema.Boolean,
      steps: Schema.Array(Step).check(Schema.isMaxLength(5))
    })
    type Script = typeof Script.Type

    interface SpawnedTask {
      readonly await: Effect.Effect<Exit.Exit<void, unknown>>
    }

    /** A requested task: its result, and the result that the caller received. */
    interface Asked {
      readonly op: string
      began: boolean
      refused: boolean
      task: SpawnedTask | undefined
    }

    interface Books {
      running: number
      failed: number
      told: number
      readonly asked: Array<Asked>
    }

    /** The body of a task, which records the events that the manager is checked against. */
    const body = (
      ledger: Ledger,
      books: Books,
      step: typeof Step.Type,
      tasks: TaskManager["Service"]
    ): Effect.Effect<void, unknown> => {
      const inner: Record<typeof Work.Type, Effect.Effect<void, unknown>> = {
        sync: Effect.void,
        yield: Effect.yieldNow,
        sleep: Effect.sleep(step.ms),
        use: Effect.acquireUseRelease(
          ledger.open("lease", { takes: 1 }),
          () => Effect.sleep(step.ms),
          (lease) => ledger.close(lease, { takes: 1 })
        ),
        fail: Effect.andThen(Effect.sleep(step.ms), Effect.fail("boom")),
        die: Effect.andThen(Effect.yieldNow, Effect.die(new InjectedFailure({ kind: "dyingRelease", name: "task" }))),
        forever: Effect.sleep("20 minutes"),
        stubborn: Effect.uninterruptible(Effect.sleep(step.ms)),
        nested: Effect.suspend(() =>
          Effect.ignore(tasks.trySpawn("nested", body(ledger, books, { ...step, work: "use" }, tasks)))
        )
      }
      return Effect.suspend(() => {
        let began = false
        return Effect.onExitPrimitive(
          Effect.suspend(() => {
            began = true
            books.running++
            return inner[step.work]
          }),
          (exit) => {
            if (began) books.running--
            if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) books.failed++
            return undefined
          }
        )
      })
    }

    const interpret = (script: Script, ledger: Ledger): Effect.Effect<void, unknown, Scope.Scope> => {
      const books: Books = { running: 0, failed: 0, told: 0, asked: [] }
      ledger.always("running <= maxRunning", () => books.running <= script.maxRunning)
      const reporter = ErrorReporter.make(() => books.told++)
      // A reporter receives a cause only once however often it is reported: this counts the reports.
      const counting: ErrorReporter.ErrorReporter = { ...reporter, report: () => void books.told++ }
      const within = Effect.scoped(Effect.gen(function*() {
        const tasks = yield* make({
          name: "lab",
          maxRunning: script.maxRunning,
          maxPending: script.maxPending,
          onFailure: script.onFailure,
          ...script.restart ? { restart: Schedule.recurs(1) } : {},
          closeDeadline: "10 minutes"
        })
        const spawned: Array<{ readonly join: Effect.Effect<void, unknown>; readonly interrupt: Effect.Effect<void> }> =
          []
        for (const step of script.steps) {
          const one: Asked = { op: step.op, began: false, refused: false, task: undefined }
          books.asked.push(one)
          const work = Effect.suspend(() => {
            one.began = true
            return body(ledger, books, step, tasks)
          })
          /** Records the result that the caller received. An interrupted caller has received none. */
          const told = <A, E>(spawning: Effect.Effect<A, E>, taskOf: (answer: A) => SpawnedTask | undefined) =>
            Effect.onExitPrimitive(spawning, (exit) => {
              if (Exit.isSuccess(exit)) one.task = taskOf(exit.value)
              one.refused = Exit.isSuccess(exit) ? one.task === undefined : !Cause.hasInterrupts(exit.cause)
              return undefined
            })
          const kept = <E, R>(spawning: Effect.Effect<(typeof spawned)[number], E, R>) =>
            Effect.exit(Effect.tap(spawning, (task) => Effect.sync(() => spawned.push(task))))
          switch (step.op) {
            case "spawn":
              yield* kept(Effect.timeout(told(tasks.spawn("task", work), (task) => task), "1 second"))
              break
            case "forkSpawn":
              yield* Effect.forkChild(kept(told(tasks.spawn("task", work), (task) => task)))
              break
            case "trySpawn":
              yield* Effect.ignore(told(tasks.trySpawn("task", work), Option.getOrUndefined))
              break
            case "spawnReady":
              yield* kept(Effect.timeout(
                tasks.spawnReady(
                  "task",
                  (ready) =>
                    step.ms > 4 ? work : step.ms > 2 ? Effect.andThen(ready, work) : Effect.andThen(work, ready)
                ),
                "1 second"
              ))
              break
            case "join":
              yield* Effect.exit(Effect.timeout(spawned.at(-1)?.join ?? Effect.void, step.ms))
              break
            case "interrupt":
              yield* spawned.at(-1)?.interrupt ?? Effect.void
              break
            case "awaitIdle":
              yield* Effect.timeoutOption(tasks.awaitIdle, step.ms)
              break
            case "sleep":
              yield* Effect.sleep(step.ms)
              break
            case "stop": {
              const before = yield* Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)
              const deadline = step.ms + 1
              const report = yield* tasks.stop({ grace: step.ms, deadline })
              const took = (yield* Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)) - before
              ledger.always(`stop ends by its deadline: ${took} <= ${deadline}`, () => took <= deadline)
              if (report.stuck.length === 0) {
                const { running } = books
                ledger.always(`nothing runs after a stop that left nothing: ${running}`, () => running === 0)
              }
              break
            }
            case "close":
              yield* tasks.close
              break
          }
        }
      }))
      return Effect.provideService(
        Effect.ensuring(
          within,
          Effect.gen(function*() {
            const { asked, failed, running, told } = books
            for (const { began, op, refused, task } of asked) {
              // A task that is interrupted before its first operation is marked.
              const known = refused
                ? !began
                : task === undefined || began || Exit.hasInterrupts(yield* task.await)
              ledger.always(`what is asked for starts, or its caller knows that it did not: ${op}`, () => known)
            }
            ledger.always(`no task is alive after the scope: ${running}`, () => running === 0)
            // A failure before a task is ready goes to the caller instead.
            const toCallers = script.steps.filter(({ op }) => op === "spawnReady").length * 2
            const expected = script.onFailure === "ignore" ? 0 : failed
            ledger.always(
              `each failure is reported once: ${told} of ${expected}`,
              () => told <= expected && told >= expected - (expected === 0 ? 0 : toCallers)
            )
          })
        ),
        ErrorReporter.CurrentErrorReporters,
        new Set([counting])
      )
    }

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `accounts for places, failures and tasks (${order} order)`,
        { script: Script },
        ({ script }) =>
          InterruptLab.verify((ledger) => interpret(script, ledger), {
            order,
            seed: script.steps.length,
            budget: { runs: 100 }
          }),
        { arbitrary: { runs: 30 * effort }, timeout: 60_000 }
      )
    }

    it.effect("releases a place that was not used, at every point", () =>
      InterruptLab.verify(() =>
        Effect.scoped(Effect.gen(function*() {
          const tasks = yield* make({ name: "lab", maxRunning: 1 })
          yield* tasks.spawn("holder", Effect.sleep("1 second"))
          yield* InterruptLab.subject(
            Effect.flatMap(tasks.spawn("subject", Effect.sleep("1 second")), (task) => task.join),
            { again: true }
          )
          yield* tasks.awaitIdle
        })), { pairs: true }))

    it.effect("wakes a fiber in awaitIdle, also when the last in line is interrupted", () =>
      InterruptLab.verify(() =>
        Effect.scoped(Effect.gen(function*() {
          const tasks = yield* make({ name: "lab", maxRunning: 1 })
          yield* tasks.spawn("holder", Effect.sleep("1 second"))
          const idle = yield* Effect.forkChild(tasks.awaitIdle, { startImmediately: true })
          yield* InterruptLab.subject(tasks.spawn("subject", Effect.void))
          yield* Fiber.join(idle)
        })), { points: ["park", "task", "idle", "delivery"] }))

    it.effect("does so with failing, dying and slow parts, in random orders", () =>
      InterruptLab.verify(
        (ledger) =>
          interpret({
            maxRunning: 2,
            maxPending: 1,
            onFailure: "report",
            restart: false,
            steps: [
              { op: "spawn", work: "use", ms: 3 },
              { op: "spawn", work: "use", ms: 1 },
              { op: "forkSpawn", work: "use", ms: 2 },
              { op: "stop", work: "sync", ms: 2 }
            ]
          }, ledger),
        {
          inject: ["failingAcquire", "dyingRelease", "slowRelease"],
          order: "random",
          orders: 3,
          budget: { runs: 600 * effort }
        }
      ), 60_000)
  })
})
