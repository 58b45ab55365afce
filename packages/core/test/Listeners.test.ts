import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Deferred, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EventEmitter, getEventListeners } from "node:events"
import { createConnection, createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import * as Deadline from "../src/Deadline.ts"
import { renderSite } from "../src/FiberSite.ts"
import { EmitterFailed, Listeners } from "../src/Listeners.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InterruptLab, Script } from "../src/testing/index.ts"
import { heard, metric } from "./support/heard.ts"

const withListeners = Effect.provide(Listeners.layer())

const numbers = (bus: EventEmitter, from: number, to: number) => {
  for (let n = from; n <= to; n++) bus.emit("n", n)
}

describe("Listeners", () => {
  describe("on", () => {
    it.effect("calls the handler with all arguments while the scope is open, and not afterwards", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<unknown> = []
        yield* Effect.scoped(Effect.gen(function*() {
          yield* listeners.on(bus, "n", (...args) => void got.push(args))
          assert.strictEqual(bus.listenerCount("n"), 1)
          bus.emit("n", 1, "one")
        }))
        bus.emit("n", 2)
        assert.deepStrictEqual(got, [[1, "one"]])
        assert.deepStrictEqual(bus.eventNames(), [])
        assert.deepStrictEqual(yield* listeners.counts, [])
      }).pipe(withListeners))

    it.effect("starts the effect of a handler within emit, and runs effects in sequence", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<string> = []
        yield* listeners.on(bus, "n", (n: number) =>
          Effect.gen(function*() {
            got.push(`begin ${n}`)
            yield* Effect.sleep("1 second")
            got.push(`end ${n}`)
          }))
        numbers(bus, 1, 2)
        assert.deepStrictEqual(got, ["begin 1"])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(got, ["begin 1", "end 1", "begin 2", "end 2"])
      }).pipe(Effect.scoped, withListeners))

    it.effect("runs up to `concurrency` effects at once", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        let running = 0
        let most = 0
        const handler = () =>
          Effect.acquireUseRelease(
            Effect.sync(() => most = Math.max(most, ++running)),
            () => Effect.sleep("1 second"),
            () => Effect.sync(() => running--)
          )
        yield* listeners.on(bus, "n", handler, { concurrency: 3 })
        numbers(bus, 1, 10)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual([running, most], [0, 3])
      }).pipe(Effect.scoped, withListeners))

    it.effect("keeps the order when a handler emits", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<number> = []
        yield* listeners.on(bus, "n", (n: number) =>
          Effect.sync(() => {
            if (n < 3) bus.emit("n", n + 1)
            got.push(n)
          }))
        bus.emit("n", 1)
        assert.deepStrictEqual(got, [1, 2, 3])
      }).pipe(Effect.scoped, withListeners))

    for (const [overflow, kept] of [["sliding", [1, 9, 10]], ["dropping", [1, 2, 3]]] as const) {
      it.effect(`buffers a bounded number of events, counts dropped ones, and logs that once (${overflow})`, () =>
        heard(({ lines }) =>
          Effect.gen(function*() {
            const listeners = yield* Listeners
            const bus = new EventEmitter()
            const got: Array<number> = []
            const slow = Effect.fn("slow")(function*() {
              yield* listeners.on(bus, "n", (n: number) => Effect.delay(Effect.sync(() => got.push(n)), "1 second"), {
                buffer: 2,
                overflow
              })
            })
            yield* slow()
            numbers(bus, 1, 10)
            yield* TestClock.adjust("1 minute")
            assert.deepStrictEqual(got, [...kept])
            assert.strictEqual(yield* metric("listeners_dropped_total", "mine"), 7)
            assert.strictEqual((yield* listeners.counts)[0]?.dropped, 7)
            assert.lengthOf(lines, 1)
            assert.match(
              lines[0]!,
              /^The buffer of 2 events for "n" on EventEmitter is full.* dropped\. Listened to by slow \(/
            )
          }).pipe(Effect.scoped, Effect.provide(Listeners.layer({ name: "mine" })))
        ))
    }

    it.effect("reports every kind of failure, and handles the next event", () =>
      heard(({ lines, reports }) =>
        Effect.gen(function*() {
          const listeners = yield* Listeners
          const bus = new EventEmitter()
          yield* listeners.on(bus, "n", (n: number) => {
            if (n === 1) throw new Error("thrown")
            return n === 2 ? Effect.fail("failed") : n === 3 ? Effect.die("died") : Effect.interrupt
          })
          let others = 0
          bus.on("n", () => others++)
          numbers(bus, 1, 4)
          assert.strictEqual(others, 4)
          assert.deepStrictEqual(lines.map((line) => line.replace(/ \(.*/, "")), [
            "\"EventEmitter \"n\"\" failed Error: thrown",
            "\"EventEmitter \"n\"\" failed Error: failed",
            "\"EventEmitter \"n\"\" failed Error: died"
          ])
          assert.deepStrictEqual(reports, ["thrown", "failed", "died"])
          assert.strictEqual(yield* metric("listeners_failed_total"), 3)
        }).pipe(Effect.scoped, withListeners)
      ))

    it.effect("interrupts running effects at the end of the scope, waits for them, and drops waiting events", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<string> = []
        const cleaning = yield* Deferred.make<void>()
        const handler = (n: number) =>
          Effect.onInterrupt(
            Effect.andThen(Effect.sync(() => got.push(`begin ${n}`)), Effect.never),
            () => Effect.andThen(Deferred.await(cleaning), Effect.sync(() => got.push(`cleaned ${n}`)))
          )
        const scope = yield* Scope.make()
        yield* Scope.provide(listeners.on(bus, "n", handler), scope)
        numbers(bus, 1, 3)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        assert.isUndefined(closing.pollUnsafe())
        yield* Deferred.succeed(cleaning, undefined)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(got, ["begin 1", "cleaned 1"])
      }).pipe(withListeners))

    for (const [when, first] of [["at once", Effect.void], ["after a while", Effect.yieldNow]] as const) {
      it.effect(`lets a handler close its own scope ${when}, with all resources of the scope`, () =>
        Effect.gen(function*() {
          const listeners = yield* Listeners
          const bus = new EventEmitter()
          const scope = yield* Scope.make()
          const got: Array<string> = []
          yield* Scope.addFinalizer(scope, Effect.andThen(Effect.yieldNow, Effect.sync(() => got.push("the rest"))))
          const done = yield* Deferred.make<void>()
          const end = Effect.andThen(Scope.close(scope, Exit.void), Deferred.succeed(done, undefined))
          yield* Scope.provide(listeners.on(bus, "n", () => Effect.andThen(first, end)), scope)
          bus.emit("n")
          yield* Deferred.await(done)
          assert.deepStrictEqual([bus.listenerCount("n"), got], [0, ["the rest"]])
        }).pipe(withListeners))
    }

    it.effect("interrupts a handler that makes another fiber close the scope", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const scope = yield* Scope.make()
        const interrupted = yield* Deferred.make<void>()
        const close = Effect.sync(() => Effect.runSync(Scope.close(scope, Exit.void)))
        const handler = () =>
          Effect.onInterrupt(Effect.andThen(close, Effect.never), () => Deferred.succeed(interrupted, undefined))
        yield* Scope.provide(listeners.on(bus, "n", handler), scope)
        bus.emit("n")
        yield* Deferred.await(interrupted)
      }).pipe(withListeners))

    it.effect("is not called for an event during which it was removed", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const scope = yield* Scope.make()
        let called = 0
        yield* listeners.on(bus, "n", () => Scope.close(scope, Exit.void))
        yield* Scope.provide(listeners.on(bus, "n", () => void called++), scope)
        bus.emit("n")
        assert.strictEqual(called, 0)
      }).pipe(Effect.scoped, withListeners))

    it.effect("gives each event its own scope, without the deadline of the listening fiber", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<string> = []
        const handler = () =>
          Effect.gen(function*() {
            got.push(String(Duration.toMillis(yield* Deadline.remaining)))
            yield* Effect.addFinalizer(() => Effect.sync(() => got.push("closed")))
          })
        yield* Deadline.within(listeners.on(bus, "n", handler), "1 second")
        numbers(bus, 1, 2)
        assert.deepStrictEqual(got, ["Infinity", "closed", "Infinity", "closed"])
      }).pipe(Effect.scoped, withListeners))
  })

  describe("once", () => {
    it.effect("returns the first argument, or the result of map, and stops listening", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const first = yield* Effect.forkChild(listeners.once<number>(bus, "n"), { startImmediately: true })
        const both = yield* Effect.forkChild(
          listeners.once(bus, "n", { map: (a: number, b: string) => `${a}${b}` }),
          { startImmediately: true }
        )
        bus.emit("n", 1, "x")
        bus.emit("n", 2, "y")
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(both)], [1, "1x"])
        assert.deepStrictEqual(bus.eventNames(), [])
      }).pipe(withListeners))

    it.effect("fails when the emitter fails instead, and dies when map throws", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const ready = yield* Effect.forkChild(Effect.flip(listeners.once(bus, "ready")), { startImmediately: true })
        bus.emit("error", new Error("refused"))
        const error = yield* Fiber.join(ready)
        assert.instanceOf(error, EmitterFailed)
        assert.strictEqual(error.message, "EventEmitter failed while \"ready\" was listened to: refused")
        const failed = yield* Effect.forkChild(listeners.once<string>(bus, "error"), { startImmediately: true })
        bus.emit("error", "is what was asked for")
        assert.strictEqual(yield* Fiber.join(failed), "is what was asked for")
        const thrown = yield* Effect.forkChild(
          Effect.exit(listeners.once(bus, "n", { map: () => assert.fail("thrown by map") })),
          { startImmediately: true }
        )
        bus.emit("n")
        assert.isTrue(Exit.hasDies(yield* Fiber.join(thrown)))
        assert.deepStrictEqual(bus.eventNames(), [])
      }).pipe(withListeners))

    it.effect("delivers the abort of an aborted signal, for which addEventListener waits forever", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const signal = AbortSignal.abort()
        yield* listeners.once(signal, "abort")
        let heardIt = 0
        yield* Effect.scoped(listeners.on(signal, "abort", () => void heardIt++))
        assert.strictEqual(heardIt, 1)
        assert.lengthOf(yield* Stream.runCollect(Stream.take(listeners.stream(signal, "abort"), 1)), 1)
        assert.lengthOf(getEventListeners(signal, "abort"), 0)
      }).pipe(withListeners))
  })

  describe("stream", () => {
    it.effect("listens only while the stream runs", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const stream = listeners.stream<number>(bus, "n", { until: ["end", "close"] })
        const running = yield* Effect.forkChild(Stream.runCollect(stream), { startImmediately: true })
        numbers(bus, 1, 3)
        bus.emit("close")
        numbers(bus, 4, 5)
        assert.deepStrictEqual(yield* Fiber.join(running), [1, 2, 3])
        const two = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream, 2)), { startImmediately: true })
        numbers(bus, 1, 3)
        assert.deepStrictEqual(yield* Fiber.join(two), [1, 2])
        assert.deepStrictEqual(bus.eventNames(), [])
      }).pipe(withListeners))

    it.effect("fails after the preceding events when the emitter fails, and dies when map throws", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        const got: Array<number> = []
        const running = yield* Effect.forkChild(
          Effect.exit(Stream.runForEach(listeners.stream<number>(bus, "n"), (n) => Effect.sync(() => got.push(n)))),
          { startImmediately: true }
        )
        numbers(bus, 1, 2)
        bus.emit("error", new Error("reset"))
        const exit = yield* Fiber.join(running)
        assert.deepStrictEqual(got, [1, 2])
        assert.isTrue(
          Exit.isFailure(exit) &&
            exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error.message.endsWith("reset"))
        )
        const thrown = yield* Effect.forkChild(
          Effect.exit(Stream.runDrain(listeners.stream(bus, "n", { map: () => assert.fail("thrown by map") }))),
          { startImmediately: true }
        )
        bus.emit("n", 1)
        assert.isTrue(Exit.hasDies(yield* Fiber.join(thrown)))
        assert.deepStrictEqual(bus.eventNames(), [])
      }).pipe(withListeners))

    for (const [overflow, kept] of [["sliding", [6, 7, 8, 9, 10]], ["dropping", [1, 2, 3, 4, 5]]] as const) {
      it.effect(`buffers 1024 events or the given number for a slow consumer (${overflow})`, () =>
        heard(({ lines }) =>
          Effect.gen(function*() {
            const listeners = yield* Listeners
            const bus = new EventEmitter()
            const pull = yield* Stream.toPull(listeners.stream<number>(bus, "n", { buffer: 5, overflow }))
            const pullMany = yield* Stream.toPull(listeners.stream<number>(bus, "n"))
            numbers(bus, 1, 10)
            assert.deepStrictEqual(yield* pull, [...kept])
            numbers(bus, 11, 5000)
            assert.lengthOf(yield* pullMany, 1024)
            assert.match(lines[0]!, /^The buffer of 5 events for "n" on EventEmitter is full/)
            assert.strictEqual(yield* metric("listeners_dropped_total"), 5 + 4985 + 5000 - 1024)
          }).pipe(Effect.scoped, withListeners)
        ))
    }
  })

  describe("compared with plain Effect", () => {
    it.effect("buffers 1024 events for a slow consumer instead of all", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventTarget()
        const plain = yield* Stream.toPull(Stream.fromEventListener<Event>(bus, "n"))
        const ours = yield* Stream.toPull(listeners.stream<Event>(bus, "n"))
        for (let n = 0; n < 100_000; n++) bus.dispatchEvent(new Event("n"))
        const kept = (chunks: ReadonlyArray<Event>) => chunks.length
        // Plain Effect pulls chunks of 4096 out of all 100 000 events.
        let all = 0
        while (all < 100_000) all += kept(yield* plain)
        assert.deepStrictEqual([all, kept(yield* ours)], [100_000, 1024])
      }).pipe(Effect.scoped, withListeners))

    it.effect("listens to an EventEmitter", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const bus = new EventEmitter()
        // @ts-expect-error an EventEmitter has no addEventListener
        const plain = yield* Effect.exit(Stream.runHead(Stream.fromEventListener(bus, "n")))
        assert.isTrue(Exit.hasDies(plain))
        const ours = yield* Effect.forkChild(Stream.runHead(listeners.stream(bus, "n")), { startImmediately: true })
        bus.emit("n", 1)
        assert.strictEqual((yield* Fiber.join(ours))._tag, "Some")
      }).pipe(withListeners))
  })

  describe("counts", () => {
    const leaky = Effect.fn("leaky")(function*(bus: EventEmitter, warnAbove?: number) {
      const listeners = yield* Listeners
      yield* listeners.on(bus, "n", () => {}, { warnAbove })
    })

    it.effect("warns above ten listeners, names the sites that added them, and warns again when their number has doubled", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const listeners = yield* Listeners
          const bus = new EventEmitter().setMaxListeners(100)
          yield* listeners.on(bus, "other", () => {})
          for (let n = 0; n < 10; n++) yield* leaky(bus)
          assert.lengthOf(lines, 0)
          for (let n = 0; n < 11; n++) yield* leaky(bus)
          assert.lengthOf(lines, 1)
          assert.match(
            lines[0]!,
            /^11 listeners for "n" on one EventEmitter\. More than 10 are reported as a leak.*Added by leaky \(.*Listeners\.test\.ts:\d+\) × 11$/
          )
          yield* leaky(bus)
          assert.match(lines[1]!, /^22 listeners/)
          const [most, other] = yield* listeners.counts
          assert.deepStrictEqual(
            [
              most?.target,
              most?.event,
              most?.listeners,
              most?.addedBy.map(({ site }) => renderSite(site).split(" ")[0])
            ],
            ["EventEmitter", "n", 22, ["leaky"]]
          )
          assert.strictEqual(other?.event, "other")
          assert.strictEqual(yield* metric("listeners_active"), 23)
        }).pipe(Effect.scoped, withListeners)
      ))

    it.effect("warns above the limit of a listener or of the configuration", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const bus = new EventEmitter().setMaxListeners(100)
          for (let n = 0; n < 21; n++) yield* leaky(bus, 20)
          assert.lengthOf(lines, 1)
          const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ LISTENERS: 2 }))
          const layer = Layer.provide(Listeners.layerConfig({ warnAbove: Config.Int("LISTENERS") }), config)
          const few = new EventEmitter()
          yield* Effect.provide(Effect.all([leaky(few), leaky(few), leaky(few)]), layer)
          assert.match(lines[1]!, /^3 listeners .* More than 2 /)
        }).pipe(Effect.scoped, withListeners)
      ))
  })

  describe("on real targets", () => {
    const server = (use: (socket: Socket) => void) =>
      Effect.acquireRelease(
        Effect.callback<Server>((resume) => {
          const made = createServer(use).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.callback<void>((resume) => void made.close(() => resume(Effect.void)))
      )
    const connect = (port: number) =>
      Effect.acquireRelease(
        Effect.sync(() => createConnection({ port, host: "127.0.0.1" })),
        (socket) => Effect.sync(() => void socket.destroy())
      )
    const added = (socket: Socket) => ["connect", "data", "close"].map((event) => socket.listenerCount(event))

    // Sockets do not use virtual time.
    it.live("streams the data of a socket until it is closed, and leaves no listener on it", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const { port } = (yield* server((socket) => socket.end("one two three"))).address() as AddressInfo
        const socket = yield* connect(port)
        const before = added(socket)
        yield* listeners.once(socket, "connect")
        const text = yield* Stream.mkString(
          Stream.map(listeners.stream<Buffer>(socket, "data", { until: "end" }), (chunk) => chunk.toString())
        )
        assert.strictEqual(text, "one two three")
        assert.deepStrictEqual(added(socket), before)
      }).pipe(Effect.scoped, withListeners))

    it.live("fails with the error of the socket, even without a listener for errors", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const { port } = yield* Effect.scoped(Effect.map(server(() => {}), (made) => made.address() as AddressInfo))
        const socket = yield* connect(port)
        const error = yield* Effect.flip(listeners.once(socket, "connect"))
        assert.match(error.message, /^Socket failed while "connect" was listened to: .*ECONNREFUSED/)
        assert.strictEqual(socket.listenerCount("error"), 0)
      }).pipe(Effect.scoped, withListeners))

    it.effect("leaves no listener on an AbortSignal, an EventTarget and the process", () =>
      Effect.gen(function*() {
        const listeners = yield* Listeners
        const { signal } = new AbortController()
        const target = new EventTarget()
        const before = process.listenerCount("SIGUSR2")
        yield* Effect.scoped(Effect.gen(function*() {
          yield* listeners.on(signal, "abort", () => {})
          yield* Effect.forkScoped(listeners.once(target, "done"), { startImmediately: true })
          yield* Effect.forkScoped(Stream.runDrain(listeners.stream(process, "SIGUSR2")), { startImmediately: true })
          const lengths = [getEventListeners(signal, "abort"), getEventListeners(target, "done")].map((all) =>
            all.length
          )
          assert.deepStrictEqual([...lengths, process.listenerCount("SIGUSR2") - before], [1, 1, 1])
        }))
        assert.lengthOf(getEventListeners(signal, "abort"), 0)
        assert.lengthOf(getEventListeners(target, "done"), 0)
        assert.strictEqual(process.listenerCount("SIGUSR2"), before)
      }).pipe(withListeners))
  })

  describe("for random programs, interrupted at every point", () => {
    let emitter: EventEmitter
    let target: EventTarget
    let service: Listeners["Service"]

    /** All operations with listeners, around a body. At first, an event comes each millisecond. */
    const program = (script: Script.Script, ledger: Ledger) =>
      Effect.gen(function*() {
        emitter = new EventEmitter().setMaxListeners(0)
        target = new EventTarget()
        const listeners = service = yield* Listeners
        const work = Effect.acquireUseRelease(
          ledger.open("item", { takes: 1 }),
          () => Effect.sleep(2),
          (lease) => ledger.close(lease, { takes: 1 })
        )
        const tick = Effect.sync(() => {
          emitter.emit("tick", 1)
          target.dispatchEvent(new Event("tick"))
        })
        // Not unlimited: a release that takes a second would receive a thousand of them.
        const clock = Effect.replicateEffect(Effect.delay(tick, 1), 12, { discard: true })
        const emit = Effect.sync(() => emitter.emit("tick", 2))
        const fail = Effect.sync(() => emitter.listenerCount("error") > 0 && emitter.emit("error", new Error("broken")))
        yield* Effect.forkChild(clock)
        yield* Script.toEffect<unknown, never>(script, [
          (body) => Effect.andThen(listeners.on(emitter, "tick", () => work, { buffer: 2 }), body),
          (body) => Effect.andThen(listeners.on(target, "tick", () => work, { buffer: 1, concurrency: 2 }), body),
          (body) => Effect.andThen(listeners.on(emitter, "tick", () => Effect.fail("no")), Effect.andThen(emit, body)),
          (body) => Effect.raceFirst(listeners.once(emitter, "tick"), body),
          (body) => Effect.andThen(Effect.timeoutOption(listeners.once(target, "tick"), 3), body),
          (body) =>
            Effect.raceFirst(
              Stream.runForEach(Stream.take(listeners.stream(emitter, "tick", { buffer: 2 }), 3), () => work),
              Effect.andThen(emit, body)
            ),
          (body) => Effect.raceFirst(Stream.runDrain(listeners.stream(target, "tick", { until: "end" })), body),
          (body) => Effect.andThen(Effect.ignore(Effect.andThen(fail, emit)), body)
        ])
      }).pipe(Effect.provide(Listeners.layer()))

    const invariant = () => {
      const left = [...emitter.eventNames(), ...getEventListeners(target, "tick"), ...Effect.runSync(service.counts)]
      return left.length === 0 ? undefined : `${left.length} listeners are left`
    }

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `has as many listeners afterwards as before (${order} order)`,
        { script: Script.Script },
        ({ script }) =>
          InterruptLab.verify((ledger) => program(script, ledger), { order, seed: script.length, invariant }),
        { arbitrary: { runs: 40 }, timeout: 30_000 }
      )
    }

    for (const n of [0, 1, 5]) {
      const script: Script.Script = [{ op: "use", n, body: [{ op: "sleep", ms: 3 }] }]
      it.effect(`does so with failing, dying and slow handlers (operation ${n})`, () =>
        InterruptLab.verify((ledger) => program(script, ledger), {
          order: "random",
          inject: ["failingAcquire", "dyingRelease", "slowRelease"],
          invariant
        }))
    }

    it.effect("detects a listener that is removed too late (control)", () =>
      Effect.gen(function*() {
        const report = yield* InterruptLab.explore(() =>
          Effect.gen(function*() {
            emitter = new EventEmitter()
            target = new EventTarget()
            service = yield* Listeners
            const handler = () => {}
            emitter.on("tick", handler)
            yield* Effect.sleep(1)
            emitter.off("tick", handler)
          }).pipe(withListeners), { invariant })
        assert.include(report.failures[0]?.problems ?? [], "1 listeners are left")
      }))
  })
})
