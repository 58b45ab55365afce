import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import {
  Cause,
  Clock,
  Config,
  ConfigProvider,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  References
} from "effect"
import { TestClock } from "effect/testing"
import * as BatchWorker from "../src/BatchWorker.ts"
import * as Deadline from "../src/Deadline.ts"
import * as GracefulShutdown from "../src/GracefulShutdown.ts"
import * as Mailbox from "../src/Mailbox.ts"
import * as ResourceRegistry from "../src/ResourceRegistry.ts"
import * as TaskManager from "../src/TaskManager.ts"
import { InterruptLab } from "../src/testing/index.ts"

type Service = GracefulShutdown.GracefulShutdown["Service"]

/** The events, with the second of the clock in which each happened. */
const diary = () => {
  const lines: Array<string> = []
  const note = (what: string) =>
    Effect.map(Clock.currentTimeMillis, (time) => void lines.push(`${time / 1000} ${what}`))
  return { lines, note }
}

/** Takes the given time, and records its begin and its end. */
const slow = (note: (what: string) => Effect.Effect<void>, name: string, duration: Duration.Input) =>
  Effect.sleep(duration).pipe(
    Effect.andThen(note(`${name} ended`)),
    Effect.onInterrupt(() => note(`${name} interrupted`)),
    (rest) => Effect.andThen(note(`${name} began`), rest)
  )

const within = <A, E, R>(
  effect: (shutdown: Service) => Effect.Effect<A, E, R>,
  options?: GracefulShutdown.GracefulShutdownOptions
) => Effect.scoped(Effect.flatMap(GracefulShutdown.make({ preStopDelay: 0, ...options }), effect))

const outcomes = (report: GracefulShutdown.ShutdownReport) =>
  report.participants.map(({ elapsed, name, outcome }) => `${name} ${outcome} after ${Duration.format(elapsed)}`)

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    const why = Cause.prettyErrors(cause).map(({ message }) => `: ${message}`)
    lines.push(`${logLevel}: ${[message].flat().join(" ")}${why.join("")}`)
  })
  return Effect.map(
    Effect.provideService(effect, References.CurrentLoggers, new Set([logger])),
    (value) => [value, lines] as const
  )
}

describe("GracefulShutdown", () => {
  it.effect("runs phases in order, and the participants of one phase concurrently", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* shutdown.phase("pool", slow(note, "pool", "1 second"), { order: "resources" })
        yield* shutdown.phase("batch", slow(note, "batch", "1 second"), { order: "flush" })
        yield* shutdown.phase("between", slow(note, "between", "1 second"), { order: 250 })
        yield* shutdown.phase("tasks", slow(note, "tasks", "2 seconds"))
        yield* shutdown.phase("mail", slow(note, "mail", "1 second"), { order: "work" })
        yield* shutdown.phase("http", slow(note, "http", "1 second"), { order: "intake" })
        yield* shutdown.request("test")
        const drained = yield* Effect.forkChild(shutdown.awaitDrained, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(lines, [
          "0 http began",
          "1 http ended",
          "1 tasks began",
          "1 mail began",
          "2 mail ended",
          "3 tasks ended",
          "3 between began",
          "4 between ended",
          "4 batch began",
          "5 batch ended",
          "5 pool began",
          "6 pool ended"
        ])
        const report = yield* Fiber.join(drained)
        assert.deepStrictEqual(outcomes(report).slice(0, 2), ["http ended after 1s", "tasks ended after 2s"])
        assert.deepStrictEqual(report.reason, { _tag: "Requested", reason: "test" })
      })
    ))

  it.effect("is not ready after the request, serves during the delay, and then drains", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* shutdown.phase("http", note("http"), { order: "intake" })
        assert.deepStrictEqual(yield* shutdown.state, {
          status: "running",
          isReady: true,
          reason: undefined,
          waitingFor: []
        })
        yield* shutdown.request("test")
        assert.isFalse(yield* shutdown.isReady)
        assert.strictEqual((yield* shutdown.state).status, "delaying")
        yield* TestClock.adjust("4999 millis")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(lines, ["5 http"])
        assert.strictEqual((yield* shutdown.state).status, "drained")
      }), { preStopDelay: "5 seconds" }))

  it.effect("stays ready for the readiness delay, and never during the drain", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        yield* shutdown.phase("http", Effect.map(shutdown.isReady, (ready) => assert.isFalse(ready)), {
          order: "intake"
        })
        yield* shutdown.request("test")
        yield* TestClock.adjust("2999 millis")
        assert.isTrue(yield* shutdown.isReady)
        yield* TestClock.adjust("1 millis")
        assert.isFalse(yield* shutdown.isReady)
        assert.strictEqual((yield* shutdown.state).status, "delaying")
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(outcomes(yield* shutdown.awaitDrained), ["http ended after 0"])
      }), { preStopDelay: "5 seconds", readinessDelay: "3 seconds" }))

  it.effect("reserves half of the time for the work, however long the delay", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* shutdown.phase("http", note("http"), { order: "intake" })
        yield* shutdown.request("test")
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(lines, ["4 http"])
      }), { preStopDelay: "1 minute", deadline: "8 seconds" }))

  it.effect("serves for another five seconds in Kubernetes, and not at all elsewhere", () =>
    Effect.gen(function*() {
      const variable = "KUBERNETES_SERVICE_HOST"
      const before = process.env[variable]
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (before === undefined) Reflect.deleteProperty(process.env, variable)
          else process.env[variable] = before
        })
      )
      const statuses = Effect.gen(function*() {
        const shutdown = yield* GracefulShutdown.make()
        yield* shutdown.request("test")
        const seen: Array<string> = []
        for (const wait of [0, 4900, 100]) {
          yield* TestClock.adjust(wait)
          seen.push((yield* shutdown.state).status)
        }
        return seen
      })
      process.env[variable] = "10.0.0.1"
      assert.deepStrictEqual(yield* statuses, ["delaying", "delaying", "drained"])
      Reflect.deleteProperty(process.env, variable)
      assert.deepStrictEqual(yield* statuses, ["drained", "drained", "drained"])
    }))

  it.effect("is not ready during start-up, and skips the delay then", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const built = yield* Deferred.make<void>()
        const starting = yield* Effect.forkChild(shutdown.startUp(Deferred.await(built)), { startImmediately: true })
        assert.deepStrictEqual((yield* shutdown.state).status, "starting")
        assert.isFalse(yield* shutdown.isReady)
        yield* Deferred.succeed(built, undefined)
        yield* Fiber.join(starting)
        assert.isTrue(yield* shutdown.isReady)
        yield* Effect.forkChild(shutdown.startUp(Effect.never), { startImmediately: true })
        yield* shutdown.request("too early")
        yield* shutdown.awaitDrained
      }), { preStopDelay: "5 seconds" }))

  it.effect("gives a phase the remaining time, less a tenth for each later phase and for the end", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const stubborn = (name: string) => Effect.onInterrupt(Effect.never, () => note(`${name} interrupted`))
        yield* shutdown.phase("http", stubborn("http"), { order: "intake" })
        yield* shutdown.phase("tasks", stubborn("tasks"), { order: "work" })
        yield* shutdown.phase("pool", stubborn("pool"), { order: "resources" })
        yield* shutdown.request("test")
        const drained = yield* Effect.forkChild(shutdown.awaitDrained, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(lines, ["7 http interrupted", "8 tasks interrupted", "9 pool interrupted"])
        assert.deepStrictEqual(outcomes(yield* Fiber.join(drained)), [
          "http timedOut after 7s",
          "tasks timedOut after 1s",
          "pool timedOut after 1s"
        ])
      }), { deadline: "10 seconds" }))

  it.effect("divides the remaining time equally when it does not suffice for that", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const times: Array<string> = []
        for (let order = 1; order <= 19; order++) {
          yield* shutdown.phase(
            `${order}`,
            Effect.map(Deadline.remaining, (left) => times.push(Duration.format(left))),
            { order }
          )
        }
        yield* shutdown.request("test")
        yield* shutdown.awaitDrained
        assert.strictEqual(times[0], "1s")
        assert.strictEqual(times[18], "18s")
      }), { deadline: "20 seconds" }))

  it.effect("interrupts a participant after its own timeout, and continues", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* shutdown.phase("http", slow(note, "http", "1 minute"), { order: "intake", timeout: "2 seconds" })
        yield* shutdown.phase("pool", slow(note, "pool", 0), { order: "resources" })
        const [, logs] = yield* logged(Effect.gen(function*() {
          yield* shutdown.phase("cron", slow(note, "cron", "1 minute"), { order: "intake", timeout: "1 second" })
          yield* shutdown.request("test")
          yield* TestClock.adjust("3 seconds")
        }))
        assert.deepStrictEqual(lines, [
          "0 http began",
          "0 cron began",
          "1 cron interrupted",
          "2 http interrupted",
          "2 pool began",
          "2 pool ended"
        ])
        assert.deepStrictEqual(logs, ["Warn: \"cron\" did not stop within 1s and was interrupted"])
      })
    ))

  it.effect("logs the interrupted participant when a late phase reduces its time", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const [, logs] = yield* logged(Effect.gen(function*() {
          yield* shutdown.phase("consumer", Effect.never)
          yield* shutdown.request("test")
          yield* TestClock.adjust("2 seconds")
          yield* shutdown.phase("flush", Effect.void, { order: "flush" })
          yield* TestClock.adjust("7 seconds")
        }))
        assert.deepStrictEqual(logs, ["Warn: \"consumer\" did not stop within 8s and was interrupted"])
      }), { deadline: "10 seconds" }))

  it.effect("abandons and logs a participant that does not respond to interruption, and continues", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const register = Effect.fn("connect")(function*() {
          yield* shutdown.phase("http", Effect.uninterruptible(slow(note, "http", "1 minute")), { order: "intake" })
        })
        const [, logs] = yield* logged(register())
        yield* shutdown.phase("pool", slow(note, "pool", 0), { order: "resources" })
        yield* shutdown.request("test")
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(lines.slice(0, 2), ["0 http began", "8.2 pool began"])
        const [http] = (yield* shutdown.awaitDrained).participants
        assert.deepStrictEqual([http?.outcome, http?.site.fork?.name], ["stuck", "connect"])
        assert.lengthOf(logs, 2)
        assert.match(logs[1]!, /^Error: "http" did not respond to interruption and was abandoned: connect \(.*:\d+\)$/)
      }), { deadline: "10 seconds" }))

  it.effect("gives participants the remaining time as their deadline, also when registered under another deadline", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        let left: Duration.Duration | undefined
        const register = shutdown.phase("http", Effect.map(Deadline.remaining, (remaining) => left = remaining), {
          timeout: "3 seconds"
        })
        yield* Deadline.within(register, "1 second", "start-up")
        yield* TestClock.adjust("1 minute")
        yield* shutdown.request("test")
        yield* shutdown.awaitDrained
        assert.deepStrictEqual(left, Duration.seconds(3))
      })
    ))

  it.effect("reports a failure where it was registered, and lets the others stop", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const [, logs] = yield* logged(
          shutdown.phase("pool", Effect.die(new Error("no route")), { order: "resources" })
        )
        yield* shutdown.phase("broken", Effect.die("boom"), { order: "intake" })
        yield* shutdown.phase("tasks", Effect.void)
        yield* shutdown.request("test")
        const report = yield* shutdown.awaitDrained
        assert.deepStrictEqual(outcomes(report), [
          "broken failed after 0",
          "tasks ended after 0",
          "pool failed after 0"
        ])
        assert.deepStrictEqual(logs, ["Error: \"pool\" failed: no route"])
        assert.strictEqual(Cause.squash(report.participants[0]!.cause!), "boom")
      })
    ))

  it.effect("waits for holds in the phase work, and names those that remain", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const upload = Effect.fn("upload")(function*(duration: Duration.Input) {
          yield* shutdown.holdOpen(`upload of ${Duration.format(Duration.fromInputUnsafe(duration))}`)
          yield* Effect.sleep(duration)
        }, Effect.scoped)
        yield* Effect.forkChild(upload("2 seconds"), { startImmediately: true })
        const endless = yield* Effect.forkChild(upload("1 hour"), { startImmediately: true })
        yield* shutdown.phase("http", note("http"), { order: "intake" })
        yield* shutdown.phase("pool", note("pool"), { order: "resources" })
        yield* shutdown.request("test")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual((yield* shutdown.state).waitingFor, ["upload of 2s", "upload of 1h"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual((yield* shutdown.state).waitingFor, ["upload of 1h"])
        yield* TestClock.adjust("7 seconds")
        assert.deepStrictEqual(lines, ["0 http", "8 pool"])
        const { held } = yield* shutdown.awaitDrained
        assert.deepStrictEqual(held.map(({ label, site }) => [label, site.fork?.name]), [["upload of 1h", "upload"]])
        yield* Fiber.interrupt(endless)
      }), { deadline: "10 seconds" }))

  it.effect("continues when the last hold ends", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* Effect.forkChild(Effect.scoped(Effect.andThen(shutdown.holdOpen("a"), Effect.sleep("2 seconds"))), {
          startImmediately: true
        })
        yield* shutdown.phase("pool", note("pool"), { order: "resources" })
        yield* shutdown.request("test")
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(lines, ["2 pool"])
        assert.deepStrictEqual((yield* shutdown.awaitDrained).held, [])
      })
    ))

  it.effect("runs participants registered during the drain, even for a phase that is over", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const late = shutdown.phase("late", slow(note, "late", "1 second"), { order: "intake" })
        yield* shutdown.phase("tasks", Effect.andThen(Effect.sleep("1 second"), late))
        yield* shutdown.request("test")
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(lines, ["1 late began", "2 late ended"])
      })
    ))

  it.effect("forgets participants whose scope has closed, and runs each once", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        yield* Effect.scoped(shutdown.phase("gone", note("gone")))
        yield* shutdown.phase("once", note("once"))
        yield* shutdown.request("one")
        yield* shutdown.request("two")
        yield* shutdown.awaitDrained
        assert.deepStrictEqual(lines, ["0 once"])
        assert.deepStrictEqual(yield* shutdown.awaitRequested, { _tag: "Requested", reason: "one" })
      })
    ))

  it.effect("interrupts the drain when its scope closes", () =>
    Effect.gen(function*() {
      const { lines, note } = diary()
      yield* within((shutdown) =>
        Effect.gen(function*() {
          yield* shutdown.phase("tasks", slow(note, "tasks", "1 minute"))
          yield* shutdown.request("test")
          yield* TestClock.adjust("1 second")
        })
      )
      assert.deepStrictEqual(lines, ["0 tasks began", "1 tasks interrupted"])
    }))

  it.effect("rejects an infinite deadline", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(GracefulShutdown.make({ deadline: Duration.infinity })))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError)
    }))

  it.effect("reads its configuration", () =>
    Effect.gen(function*() {
      const layer = GracefulShutdown.GracefulShutdown.layerConfig({
        deadline: Config.Duration("SHUTDOWN_DEADLINE"),
        preStopDelay: Config.succeed(0)
      })
      const provider = ConfigProvider.fromEnvRecord({ SHUTDOWN_DEADLINE: "2 seconds" })
      const left = yield* Effect.provide(
        Effect.gen(function*() {
          const shutdown = yield* GracefulShutdown.GracefulShutdown
          const left = yield* Deferred.make<Duration.Duration>()
          yield* shutdown.phase("a", Effect.flatMap(Deadline.remaining, (time) => Deferred.succeed(left, time)))
          yield* shutdown.request("test")
          return yield* Deferred.await(left)
        }).pipe(Effect.scoped),
        Layer.provide(layer, ConfigProvider.layer(provider))
      )
      assert.deepStrictEqual(left, Duration.millis(1800))
    }))

  it.effect("counts participants and holds", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const read = Effect.map(
          Metric.snapshot,
          (all) =>
            all.filter(({ id }) => id.startsWith("fiberscope_shutdown"))
              .map(({ id, state }) => [id, (state as { value: number }).value])
        )
        yield* shutdown.phase("a", Effect.void)
        yield* shutdown.holdOpen("b")
        assert.deepStrictEqual(yield* read, [
          ["fiberscope_shutdown_participants", 1],
          ["fiberscope_shutdown_beacons", 1],
          ["fiberscope_shutdown_waiting", 0]
        ])
      })
    ).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("retains no participant and no hold, whenever its user is interrupted", () =>
    InterruptLab.verify((ledger) =>
      Effect.gen(function*() {
        const shutdown = yield* GracefulShutdown.make({ preStopDelay: 0 })
        yield* InterruptLab.subject(Effect.scoped(Effect.gen(function*() {
          yield* shutdown.phase("a", ledger.open("stop"))
          yield* shutdown.holdOpen("b")
          yield* Effect.sleep("1 second")
        })))
        yield* shutdown.request("after")
        const report = yield* shutdown.awaitDrained
        if (report.participants.length > 0 || report.held.length > 0) return yield* Effect.die("still registered")
      })
    ))

  it.effect("is drained by its deadline, whenever its users are interrupted", () =>
    InterruptLab.verify(
      () =>
        Effect.gen(function*() {
          const shutdown = yield* GracefulShutdown.make({ preStopDelay: "1 second", deadline: "10 seconds" })
          yield* shutdown.phase("slow", Effect.sleep("2 seconds"), { order: "intake" })
          yield* shutdown.phase("never", Effect.never)
          yield* shutdown.phase("last", Effect.void, { order: "resources" })
          yield* InterruptLab.subject(Effect.scoped(Effect.gen(function*() {
            yield* shutdown.holdOpen("b")
            yield* shutdown.request("lab")
            yield* shutdown.awaitDrained
          })))
          yield* shutdown.request("anyway")
          const { elapsed, participants } = yield* shutdown.awaitDrained
          if (Duration.toMillis(elapsed) > 10_000 || participants.length !== 3) return yield* Effect.die("not drained")
        }),
      { order: "random", orders: 5 }
    ))
})

describe("GracefulShutdown.inPhase", () => {
  class Server extends Context.Service<Server, { readonly port: number }>()("Server") {}

  const server = (note: (what: string) => Effect.Effect<void>): Layer.Layer<Server> =>
    Layer.effect(
      Server,
      Effect.acquireRelease(
        Effect.as(note("open"), { port: 80 }),
        () => Effect.andThen(Effect.sleep("1 second"), note("closed"))
      )
    )

  const launched = <E, R>(layer: Layer.Layer<Server, E, R>) =>
    Effect.forkChild(Layer.launch(layer), { startImmediately: true })

  it.effect("closes a layer in its phase, once", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const fiber = yield* launched(GracefulShutdown.inPhase(server(note), "server"))
        yield* shutdown.phase("tasks", note("tasks"))
        yield* shutdown.request("test")
        yield* TestClock.adjust("1 second")
        yield* shutdown.awaitDrained
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(lines, ["0 open", "1 closed", "1 tasks"])
      }).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))
    ))

  it.effect("makes the scope wait for a closing in progress", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const fiber = yield* launched(server(note).pipe(GracefulShutdown.inPhase("server", { timeout: "1 millis" })))
        yield* shutdown.request("test")
        yield* TestClock.adjust("500 millis")
        const [closed] = (yield* shutdown.awaitDrained).participants
        assert.deepStrictEqual([closed?.outcome, closed?.site.fork?.name], ["timedOut", "inPhase server"])
        assert.match(String(closed?.site.fork?.file), /GracefulShutdown\.test\.ts$/)
        const ended = yield* Effect.forkChild(Effect.andThen(Fiber.interrupt(fiber), note("ended")))
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(ended)
        assert.deepStrictEqual(lines, ["0 open", "1 closed", "1 ended"])
      }).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))
    ))

  it.effect("closes with the scope if there is no shutdown, and shares layers that were built before", () =>
    Effect.gen(function*() {
      const { lines, note } = diary()
      const shared = server(note)
      const user = Layer.effectDiscard(Effect.flatMap(Server, ({ port }) => note(`uses ${port}`)))
      const layer = Layer.provideMerge(GracefulShutdown.inPhase(Layer.provide(user, shared), "user"), shared)
      const fiber = yield* launched(layer)
      const ended = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(ended)
      assert.deepStrictEqual(lines, ["0 open", "0 uses 80", "1 closed"])
    }))

  it.effect("closes everything it opened, whenever its building is interrupted", () =>
    InterruptLab.verify((ledger) => {
      const layer = Layer.effectDiscard(Effect.andThen(ledger.resource("server"), Effect.sleep("1 second")))
      return Effect.scoped(Effect.flatMap(GracefulShutdown.make({ preStopDelay: 0 }), (shutdown) =>
        Effect.scoped(Effect.gen(function*() {
          yield* Layer.build(GracefulShutdown.inPhase(layer, "server"))
          yield* shutdown.request("test")
          yield* shutdown.awaitDrained
        })).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))))
    }))
})

describe("GracefulShutdown.launch", () => {
  it.effect("is ready when the layer is built", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const slowly = Layer.effectDiscard(Effect.sleep("1 second"))
        const fiber = yield* Effect.forkChild(GracefulShutdown.launch(slowly), { startImmediately: true })
        assert.isFalse(yield* shutdown.isReady)
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* shutdown.isReady)
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))
    ))
})

describe("modules in a shutdown", () => {
  it.effect("finish accepted work in the order of their dependencies, and accept no more", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const { lines, note } = diary()
        const resources = yield* ResourceRegistry.make()
        yield* resources.register("database", Effect.void, () => note("closed the database"))
        const batch = yield* BatchWorker.make<number>({
          name: "ledger",
          flush: (items) => note(`flush ${items.join(" ")}`),
          onGiveUp: () => note("gave up"),
          maxWait: "1 minute"
        })
        const mailbox = yield* Mailbox.make<number>({ name: "orders", capacity: 10, onDrop: () => lines.push("drop") })
        const tasks = yield* TaskManager.make({ name: "workers", maxRunning: 10 })
        const handle = (item: number) =>
          Effect.andThen(Effect.sleep("1 second"), Effect.andThen(note(`handled ${item}`), batch.offer(item)))
        yield* tasks.spawn("orders", mailbox.run(handle))
        yield* tasks.spawn("poll", Effect.never)
        for (const item of [1, 2, 3]) yield* mailbox.send(item)
        yield* shutdown.request("test")
        const drained = yield* Effect.forkChild(shutdown.awaitDrained, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(lines, [
          "1 handled 1",
          "2 handled 2",
          "3 handled 3",
          "5 flush 1 2 3",
          "5 closed the database"
        ])
        assert.deepStrictEqual(outcomes(yield* Fiber.join(drained)), [
          "mailbox orders ended after 3s",
          "tasks of workers ended after 5s",
          "batch worker ledger ended after 0",
          "resources default ended after 0"
        ])
        assert.strictEqual((yield* Effect.flip(mailbox.send(4)))._tag, "MailboxClosed")
        assert.strictEqual((yield* Effect.flip(tasks.spawn("late", Effect.void)))._tag, "TaskManagerClosed")
        assert.strictEqual((yield* Effect.flip(batch.offer(4)))._tag, "BatchWorkerClosed")
      }).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))
    ))

  it.effect("delay it for no longer than their limits", () =>
    within((shutdown) =>
      Effect.gen(function*() {
        const resources = yield* ResourceRegistry.make({ closeTimeout: "1 hour" })
        yield* resources.register("database", Effect.void, () => Effect.never)
        const mailbox = yield* Mailbox.make<number>({ name: "nobody", capacity: 10 })
        yield* mailbox.send(1)
        const tasks = yield* TaskManager.make({ name: "stubborn", maxRunning: 10 })
        yield* tasks.spawn("stuck", Effect.uninterruptible(Effect.sleep("1 hour")))
        yield* shutdown.request("test")
        const drained = yield* Effect.forkChild(shutdown.awaitDrained, { startImmediately: true })
        yield* TestClock.adjust("25 seconds")
        assert.deepStrictEqual(outcomes(yield* Fiber.join(drained)), [
          "mailbox nobody timedOut after 10s",
          "tasks of stubborn timedOut after 20s",
          "resources default timedOut after 2s 500ms"
        ])
        yield* TestClock.adjust("1 hour")
      }).pipe(Effect.provideService(GracefulShutdown.GracefulShutdown, shutdown))
    ))
})

/** Checks the types: a registered effect requires the services of its caller. */
const _requirements: (
  shutdown: Service,
  effect: Effect.Effect<void, never, Scope.Scope>
) => Effect.Effect<void, never, Scope.Scope> = (shutdown, effect) => shutdown.phase("x", effect)
void _requirements
