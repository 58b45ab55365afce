import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Deferred, Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import * as Deadline from "../src/Deadline.ts"
import type { CloseReport } from "../src/ResourceRegistry.ts"
import { RegistryClosed, render, ResourceRegistry } from "../src/ResourceRegistry.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InterruptLab } from "../src/testing/index.ts"
import { heard, metric } from "./support/heard.ts"

const withRegistry = Effect.provide(ResourceRegistry.layer())

const stubborn = (duration: Duration.Input) => Effect.uninterruptible(Effect.sleep(duration))

const outcomes = ({ resources }: CloseReport) => resources.map(({ name, outcome }) => `${name} ${outcome}`)

/** Registers a resource with a slow release; records when the release begins and ends. */
const tool = Effect.fn("tool")(function*(
  name: string,
  events: Array<string>,
  release: Effect.Effect<unknown, unknown> = Effect.void,
  options?: { readonly after?: string; readonly phase?: number; readonly closeTimeout?: Duration.Input }
) {
  const registry = yield* ResourceRegistry
  return yield* registry.register(
    name,
    Effect.succeed(name),
    () => Effect.andThen(Effect.sync(() => events.push(`-${name}`)), release),
    options
  )
})

/** Runs an effect as far as possible without advancing the clock. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

describe("ResourceRegistry", () => {
  it.effect("lists a resource until its release has ended", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry
      const acquiring = yield* Deferred.make<string>()
      const fiber = yield* start(Effect.scoped(
        Effect.gen(function*() {
          yield* registry.register("db", Deferred.await(acquiring), () => Effect.sleep("2 seconds"), { phase: 3 })
          yield* Effect.sleep("1 second")
        }).pipe(Effect.withSpan("service"))
      ))
      const status = Effect.map(registry.open, (all) => all.map((one) => one.status))
      assert.deepStrictEqual(yield* status, ["acquiring"])
      yield* Deferred.succeed(acquiring, "connection")
      yield* TestClock.adjust("500 millis")
      const [one] = yield* registry.open
      assert.deepInclude(one, { name: "db", status: "open", phase: 3, age: Duration.millis(500), owner: fiber.id })
      assert.strictEqual(one?.site.fork?.name, "service")
      assert.strictEqual(yield* metric("resources_open"), 1)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* status, ["closing"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* status, [])
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* metric("resources_closed_total"), 1)
    }).pipe(withRegistry))

  it.effect("passes the resource and the exit of the scope to the release", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry
      const got: Array<unknown> = []
      const use = Effect.gen(function*() {
        assert.strictEqual(
          yield* registry.register("db", Effect.succeed(42), (n, exit) => Effect.sync(() => got.push(n, exit))),
          42
        )
        return yield* Effect.fail("no")
      })
      const exit = yield* Effect.exit(Effect.scoped(use))
      assert.deepStrictEqual(got, [42, exit])
    }).pipe(withRegistry))

  it.effect("does not list a resource that could not be acquired", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry
      const failing = registry.register("db", Effect.fail("refused"), () => Effect.die("never acquired"))
      assert.strictEqual(yield* Effect.flip(failing), "refused")
      assert.deepStrictEqual(yield* registry.open, [])
    }).pipe(Effect.scoped, withRegistry))

  it.effect("releases once with closeAll, the scope and the layer together", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      yield* Effect.gen(function*() {
        const registry = yield* ResourceRegistry
        yield* tool("a", events)
        yield* Effect.all([registry.closeAll(), registry.closeAll()], { concurrency: 2 })
      }).pipe(Effect.scoped, withRegistry)
      assert.deepStrictEqual(events, ["-a"])
    }))

  it.effect("begins a release without the deadline of its registration", () =>
    Effect.gen(function*() {
      const got: Array<number> = []
      const note = Effect.map(Deadline.remaining, (left) => void got.push(Duration.toMillis(left)))
      yield* Effect.scoped(Deadline.within(tool("a", [], note), "1 second"))
      assert.deepStrictEqual(got, [Infinity])
    }).pipe(withRegistry))

  describe("when a release does not end", () => {
    it.effect("ends its scope at the limit, while a plain scope waits forever", () =>
      Effect.gen(function*() {
        const plain = yield* Effect.forkDetach(Effect.scoped(Effect.acquireRelease(Effect.void, () => Effect.never)))
        const ours = yield* start(Effect.scoped(tool("a", [], Effect.never)))
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(ours.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.isDefined(ours.pollUnsafe())
        yield* TestClock.adjust("1 day")
        assert.isUndefined(plain.pollUnsafe())
      }).pipe(withRegistry))

    it.effect("interrupts the release, and logs that", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const registry = yield* ResourceRegistry
          let interrupted = false
          const release = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted = true))
          const fiber = yield* start(Effect.scoped(tool("a", [], release, { closeTimeout: "1 second" })))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(fiber)
          assert.isTrue(interrupted)
          assert.deepStrictEqual(yield* registry.open, [])
          assert.deepStrictEqual(lines, ["The release of \"a\" did not end within 1s and was interrupted"])
          assert.strictEqual(yield* metric("resources_timed_out_total"), 1)
        }).pipe(withRegistry)
      ))

    it.effect("abandons a release that does not respond, lists it, and logs its site and its end", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const registry = yield* ResourceRegistry
          const fiber = yield* start(
            Effect.scoped(
              tool("a", [], Effect.uninterruptible(Effect.andThen(Effect.sleep("1 minute"), Effect.die("late"))))
            )
          )
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(fiber)
          assert.deepInclude((yield* registry.open)[0], { name: "a", status: "stuck" })
          assert.strictEqual(yield* metric("resources_stuck"), 1)
          yield* TestClock.adjust("50 seconds")
          assert.deepStrictEqual(yield* registry.open, [])
          assert.strictEqual(yield* metric("resources_stuck"), 0)
          assert.match(
            lines[0]!,
            /^The release of "a" did not end within 5s, did not respond to interruption and was abandoned\. It was registered by tool \(.*ResourceRegistry\.test\.ts:\d+\)/
          )
          assert.strictEqual(lines[1], "\"a\", whose release was stuck, is closed after 1m")
          assert.match(lines[2]!, /^"the release of a" failed Error: late/)
        }).pipe(withRegistry)
      ))
  })

  it.effect("reports a release that fails, without any other failure", () =>
    heard(({ lines, reports }) =>
      Effect.gen(function*() {
        const events: Array<string> = []
        yield* Effect.scoped(Effect.gen(function*() {
          yield* tool("a", events)
          yield* tool("b", events, Effect.fail("no"))
          yield* tool("c", events, Effect.die("broken"))
          yield* tool("d", events, Effect.interrupt)
          const registry = yield* ResourceRegistry
          yield* registry.register("e", Effect.void, () => assert.fail("thrown"))
        }))
        assert.deepStrictEqual(events, ["-d", "-c", "-b", "-a"])
        assert.deepStrictEqual(reports, ["thrown", "broken", "no"])
        assert.lengthOf(lines, 3)
        assert.strictEqual(yield* metric("resources_failed_total"), 4)
      }).pipe(withRegistry)
    ))

  describe("closeAll", () => {
    it.effect("closes in reverse order, by phases, and resources with `after` later", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        yield* tool("pool", events, Effect.void, { phase: 2 })
        yield* tool("cache", events, Effect.sleep("1 second"))
        yield* tool("server", events, Effect.sleep("1 second"))
        yield* tool("telemetry", events, Effect.void, { after: "cache" })
        const fiber = yield* start(registry.closeAll())
        assert.deepStrictEqual(events, ["-server"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(events, ["-server", "-cache"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(events, ["-server", "-cache", "-telemetry", "-pool"])
        const { elapsed, resources } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(elapsed, Duration.seconds(2))
        assert.deepStrictEqual(resources.map(({ name, took }) => [name, Duration.toMillis(took)]), [
          ["server", 1000],
          ["cache", 1000],
          ["telemetry", 0],
          ["pool", 0]
        ])
      }).pipe(Effect.scoped, withRegistry))

    it.effect("closes all resources of a phase at once with `parallel`", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        for (const name of ["a", "b", "c"]) yield* tool(name, events, Effect.sleep("1 second"))
        yield* tool("d", events, Effect.sleep("1 second"), { after: "c" })
        yield* tool("e", events, Effect.sleep("1 second"), { phase: 1 })
        const fiber = yield* start(registry.closeAll())
        assert.deepStrictEqual(events, ["-c", "-b", "-a"])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(events, ["-c", "-b", "-a", "-d", "-e"])
        assert.deepStrictEqual((yield* Fiber.join(fiber)).elapsed, Duration.seconds(3))
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer({ strategy: "parallel" }))))

    it.effect("delays the next release by at most the limit of a stuck one", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        yield* tool("a", events)
        yield* tool("b", events, stubborn("1 day"), { closeTimeout: "2 seconds" })
        yield* tool("c", events, Effect.never, { closeTimeout: "1 second" })
        const fiber = yield* start(registry.closeAll("1 hour"))
        yield* TestClock.adjust("2999 millis")
        assert.deepStrictEqual(events, ["-c", "-b"])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(events, ["-c", "-b", "-a"])
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual(outcomes(report), ["c timedOut", "b stuck", "a released"])
        assert.deepStrictEqual(report.elapsed, Duration.seconds(3))
        yield* TestClock.adjust("1 day")
      }).pipe(Effect.scoped, withRegistry))

    it.effect("releases all remaining resources in the last fifth of the time, and ends by its deadline", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        for (const name of ["a", "b"]) yield* tool(name, events)
        for (const name of ["c", "d", "e"]) yield* tool(name, events, stubborn("1 day"))
        yield* tool("f", events, Effect.sleep("9500 millis"), { closeTimeout: "1 minute" })
        const fiber = yield* start(registry.closeAll("10 seconds"))
        yield* TestClock.adjust("7999 millis")
        assert.deepStrictEqual(events, ["-f"])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(events, ["-f", "-e", "-d", "-c", "-b", "-a"])
        yield* TestClock.adjust("2 seconds")
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual(report.elapsed, Duration.seconds(10))
        assert.deepStrictEqual(outcomes(report), [
          "f released",
          "e stuck",
          "d stuck",
          "c stuck",
          "b released",
          "a released"
        ])
        yield* TestClock.adjust("1 day")
      }).pipe(Effect.scoped, withRegistry))

    it.effect("takes no longer than the enclosing deadline", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        yield* tool("a", events)
        yield* tool("b", events, stubborn("1 day"), { closeTimeout: "1 hour" })
        const fiber = yield* start(Effect.exit(Deadline.within(registry.closeAll("1 hour"), "10 seconds")))
        yield* TestClock.adjust("8 seconds")
        assert.deepStrictEqual(events, ["-b", "-a"])
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 day")
      }).pipe(Effect.scoped, withRegistry))

    it.effect("ends at a limit that the clock cannot represent exactly", () =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry
        // 0.1 + 0.2 is more than 0.3.
        yield* TestClock.adjust("100 micros")
        yield* tool("a", [], stubborn("1 day"), { closeTimeout: "200 micros" })
        const fiber = yield* start(registry.closeAll())
        yield* TestClock.adjust("200 micros")
        assert.isDefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 day")
      }).pipe(Effect.scoped, withRegistry))

    it.effect("opens nothing afterwards, and immediately closes resources that were being opened", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const registry = yield* ResourceRegistry
        const acquiring = yield* Deferred.make<string>()
        const opening = yield* start(
          Effect.flip(
            Effect.scoped(registry.register("a", Deferred.await(acquiring), () => Effect.sync(() => events.push("-a"))))
          )
        )
        const closing = yield* start(registry.closeAll())
        const refused = yield* Effect.flip(
          registry.register("b", Effect.sync(() => events.push("+b")), () => Effect.void)
        )
        assert.instanceOf(refused, RegistryClosed)
        assert.match(refused.message, /^"b" was not opened/)
        assert.isUndefined(closing.pollUnsafe())
        yield* Deferred.succeed(acquiring, "connection")
        assert.instanceOf(yield* Fiber.join(opening), RegistryClosed)
        assert.deepStrictEqual(outcomes(yield* Fiber.join(closing)), ["a released"])
        assert.deepStrictEqual(events, ["-a"])
      }).pipe(Effect.scoped, withRegistry))

    it.effect("names a resource that is still being opened, and gives its later release its own time", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const events: Array<string> = []
          const registry = yield* ResourceRegistry
          const acquiring = yield* Deferred.make<string>()
          const release = Effect.delay(Effect.sync(() => events.push("-a")), "4 seconds")
          const opening = yield* start(Effect.exit(registry.register("a", Deferred.await(acquiring), () => release)))
          const closing = yield* start(registry.closeAll())
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(outcomes(yield* Fiber.join(closing)), ["a stuck"])
          assert.match(lines[0]!, /^"a" is still being acquired after 5s\. It was registered by/)
          yield* Deferred.succeed(acquiring, "connection")
          yield* TestClock.adjust("4 seconds")
          assert.isTrue(Exit.isFailure(yield* Fiber.join(opening)))
          assert.deepStrictEqual(events, ["-a"])
        }).pipe(Effect.scoped, withRegistry)
      ))

    it.effect("also limits a release that begins after closeAll has given up", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const registry = yield* ResourceRegistry
          const acquiring = yield* Deferred.make<string>()
          const opening = yield* start(
            Effect.exit(registry.register("a", Deferred.await(acquiring), () => Effect.never))
          )
          yield* start(registry.closeAll())
          yield* TestClock.adjust("1 minute")
          yield* Deferred.succeed(acquiring, "connection")
          yield* TestClock.adjust("5 seconds")
          assert.isDefined(opening.pollUnsafe())
          assert.strictEqual(lines[1], "The release of \"a\" did not end within 5s and was interrupted")
        }).pipe(Effect.scoped, withRegistry)
      ))

    it.effect("renders its report", () =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry
        yield* tool("a", [], Effect.sleep("20 millis"))
        yield* tool("b", [], Effect.fail("no"))
        yield* tool("c", [], stubborn("1 day"), { closeTimeout: "1 second" })
        yield* tool("d", [], Effect.never, { closeTimeout: "1 second" })
        const fiber = yield* start(registry.closeAll())
        yield* TestClock.adjust("1 minute")
        const text = render(yield* Fiber.join(fiber)).replaceAll(/\(.*?(\w+\.test\.ts):\d+\)/g, "($1)")
        assert.strictEqual(
          text,
          "4 resources closed in 2s 20ms\n"
            + "  d: interrupted after 1s, registered by tool (ResourceRegistry.test.ts)\n"
            + "  c: stuck after 1s, registered by tool (ResourceRegistry.test.ts)\n"
            + "  b: failed after 0: Error: no\n"
            + "  a: released after 20ms"
        )
        yield* TestClock.adjust("1 day")
      }).pipe(Effect.scoped, withRegistry))
  })

  it.effect("closes the remaining resources of open scopes at the end of the layer, within the configured time", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ CLOSE: "2 seconds" }))
      const layer = Layer.provide(ResourceRegistry.layerConfig({ closeDeadline: Config.Duration("CLOSE") }), config)
      const scoped = Effect.gen(function*() {
        yield* tool("a", events)
        yield* tool("b", events, stubborn("1 day"))
      })
      // The scope of the resources is that of the test: it is still open when the layer ends.
      const fiber = yield* start(Effect.provide(scoped, layer))
      yield* TestClock.adjust("2 seconds")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(events, ["-b", "-a"])
      yield* TestClock.adjust("1 day")
    }).pipe(Effect.scoped))

  // A server with an open connection does not close: this needs the real clock and a real socket.
  it.live("ends with a server that cannot close, because a client stays", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry
        const server = yield* registry.register(
          "server",
          Effect.promise(async () => {
            const made = createServer().listen(0, "127.0.0.1")
            await once(made, "listening")
            return made
          }),
          (made) => Effect.callback<void>((resume) => void made.close(() => resume(Effect.void)))
        )
        const client = connect((server.address() as AddressInfo).port, "127.0.0.1")
        yield* Effect.promise(() => once(client, "connect"))
        const report = yield* registry.closeAll("100 millis")
        assert.deepStrictEqual(outcomes(report), ["server timedOut"])
        assert.match(lines[0]!, /^The release of "server" did not end within \d+ms and was interrupted$/)
        client.destroy()
        yield* Effect.promise(() => once(server, "close"))
      }).pipe(Effect.scoped, withRegistry)
    ))

  describe("for random programs, interrupted at every point", () => {
    const Behaviour = Schema.Literals(["fast", "slow", "stubborn", "never", "fail", "die", "late"])
    // A release without any time is interrupted in its first step.
    const Ms = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))
    const Step = Schema.Union([
      Schema.Struct({
        op: Schema.Literal("register"),
        name: Schema.Literals(["a", "b", "c"]),
        acquire: Schema.Literals(["fast", "slow", "fail"]),
        release: Behaviour,
        phase: Schema.Literals([0, 1]),
        after: Schema.Array(Schema.Literals(["a", "b", "c"])).check(Schema.isMaxLength(1))
      }),
      Schema.Struct({ op: Schema.Literal("sleep"), ms: Ms }),
      Schema.Struct({ op: Schema.Literals(["closeAll", "closeSoon"]), ms: Ms })
    ])
    const Script = Schema.Struct({
      steps: Schema.Array(Step).check(Schema.isMaxLength(5)),
      strategy: Schema.Literals(["sequential", "parallel"])
    })

    const clock = Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)

    const acquires = { fast: Effect.void, slow: Effect.sleep(2), fail: Effect.fail("refused") }
    const releases = {
      fast: Effect.void,
      slow: Effect.sleep(3),
      stubborn: stubborn(20),
      never: Effect.never,
      fail: Effect.fail("no"),
      die: Effect.die("broken"),
      late: Effect.uninterruptible(Effect.andThen(Effect.sleep(9), Effect.die("late")))
    }

    const interpret = ({ steps, strategy }: typeof Script.Type, ledger: Ledger, closeTimeout: Duration.Input = 5) =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry
        const closeAll = (ms: number) =>
          Effect.gen(function*() {
            const before = yield* clock
            const { resources } = yield* registry.closeAll(ms)
            const took = (yield* clock) - before
            if (took > ms) ledger.always(`closeAll took ${took} of ${ms} ms`, () => false)
            const names = new Set(
              (yield* registry.open).filter(({ status }) => status === "open").map(({ name }) => name)
            )
            if (names.size > 0) ledger.always(`closeAll has left open ${[...names]}: ${resources.length}`, () => false)
          })
        for (const step of steps) {
          switch (step.op) {
            case "sleep":
              yield* Effect.sleep(step.ms)
              break
            case "closeAll":
              yield* closeAll(step.ms)
              break
            case "closeSoon":
              yield* Effect.forkChild(Effect.delay(closeAll(step.ms), 2))
              break
            case "register": {
              const { acquire, after, name, phase, release } = step
              yield* Effect.ignore(registry.register(
                name,
                Effect.andThen(acquires[acquire], ledger.open(name)),
                // Recorded at its beginning: an interrupted release has begun, and must not begin again.
                (lease) => Effect.andThen(ledger.close(lease), releases[release]),
                { after, phase, closeTimeout }
              ))
            }
          }
        }
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer({ strategy })))

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `releases everything once, and closes all by the deadline (${order} order)`,
        { script: Script },
        ({ script }) =>
          InterruptLab.verify((ledger) => interpret(script, ledger), { order, seed: script.steps.length }),
        { arbitrary: { runs: 60 }, timeout: 30_000 }
      )
    }

    const all: typeof Script.Type = {
      strategy: "sequential",
      steps: [
        { op: "register", name: "a", acquire: "slow", release: "slow", phase: 0, after: [] },
        { op: "register", name: "b", acquire: "fast", release: "never", phase: 1, after: ["a"] },
        { op: "closeSoon", ms: 9 },
        { op: "register", name: "c", acquire: "slow", release: "late", phase: 0, after: [] }
      ]
    }

    it.effect("does so with acquisitions that fail, and releases that die", () =>
      InterruptLab.verify((ledger) => interpret(all, ledger), {
        order: "random",
        inject: ["failingAcquire", "dyingRelease"]
      }))

    it.effect("does so with slow releases that have the time", () =>
      InterruptLab.verify((ledger) => interpret({ ...all, steps: all.steps.slice(0, 2) }, ledger, "2 seconds"), {
        order: "random",
        inject: ["slowRelease"]
      }))

    it.effect("does so when interrupted twice", () =>
      InterruptLab.verify((ledger) => interpret(all, ledger), { pairs: true, budget: { runs: 3000 } }))
  })
})
