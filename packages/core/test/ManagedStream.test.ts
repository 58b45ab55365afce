import { assert, describe, it } from "@effect/vitest"
import { Channel, Config, ConfigProvider, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/Deadline.ts"
import { GracefulShutdown } from "../src/GracefulShutdown.ts"
import type { CloseReport } from "../src/ManagedStream.ts"
import { bounded, ManagedStream, render, StreamFailed } from "../src/ManagedStream.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InterruptLab, noLeaks, Script } from "../src/testing/index.ts"
import { heard, metric } from "./support/heard.ts"

const withStreams = Effect.provide(ManagedStream.layer())

const forever = () => new Promise<never>(() => {})

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

/** A generator that records its end, with an action at each item and in its `finally`. */
const generator = (
  events: Array<string>,
  { atEnd = async () => {}, atItem = async () => {}, count = Infinity, name = "g" }: {
    readonly name?: string
    readonly count?: number
    readonly atItem?: (n: number, signal: AbortSignal) => Promise<unknown>
    readonly atEnd?: () => Promise<unknown>
  } = {}
) =>
  async function*(signal: AbortSignal) {
    events.push(`+${name}`)
    try {
      for (let n = 1; n <= count; n++) {
        await atItem(n, signal)
        yield n
      }
    } finally {
      await atEnd()
      events.push(`-${name}`)
    }
  }

/** Runs an effect as far as possible without advancing the clock. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** Lets pending promises settle. */
const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const outcomes = ({ streams }: CloseReport) => streams.map(({ label, outcome }) => `${label} ${outcome}`)

describe("ManagedStream", () => {
  describe("fromGenerator", () => {
    it.effect("streams the items of a generator, which is created again for each run", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const three = streams.fromGenerator("three", generator(events, { count: 3 }))
        assert.deepStrictEqual(yield* Stream.runCollect(three), [1, 2, 3])
        assert.deepStrictEqual(yield* Stream.runCollect(three), [1, 2, 3])
        assert.deepStrictEqual(events, ["+g", "-g", "+g", "-g"])
        assert.deepStrictEqual(yield* streams.live, [])
      }).pipe(withStreams))

    it.effect("fails with the error of the generator after the preceding items", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const failing = generator(events, { atItem: (n) => n === 3 ? Promise.reject(new Error("cut")) : forNow })
        const got: Array<number> = []
        const error = yield* streams.fromGenerator("rows", failing).pipe(
          Stream.runForEach((n) => Effect.sync(() => got.push(n))),
          Effect.flip
        )
        assert.instanceOf(error, StreamFailed)
        assert.strictEqual(error.message, "The stream \"rows\" failed: cut")
        assert.deepStrictEqual(got, [1, 2])
        const own = streams.fromGenerator("rows", failing, { onError: (cause) => `own ${String(cause)}` })
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(own)), "own Error: cut")
        const thrown = streams.fromGenerator("rows", () => assert.fail("no generator"))
        assert.match((yield* Effect.flip(Stream.runDrain(thrown))).message, /no generator$/)
        assert.deepStrictEqual(events, ["+g", "-g", "+g", "-g"])
        assert.deepStrictEqual(yield* streams.live, [])
      }).pipe(withStreams))

    it.effect("ends the generator when the reader stops, fails, or is interrupted", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const endless = streams.fromGenerator("endless", generator(events, { atEnd: () => settle() }))
        yield* Stream.runDrain(Stream.take(endless, 2))
        yield* Effect.flip(Stream.runForEach(endless, () => Effect.fail("no")))
        const reader = yield* start(Stream.runForEach(endless, () => Effect.never))
        yield* settled
        yield* Fiber.interrupt(reader)
        assert.deepStrictEqual(events, ["+g", "-g", "+g", "-g", "+g", "-g"])
        assert.deepStrictEqual(yield* streams.live, [])
      }).pipe(withStreams))

    it.effect("wakes a generator in an await by its signal", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const waiting = generator(events, { atItem: (_, signal) => aborted(signal) })
        const reader = yield* start(Stream.runDrain(streams.fromGenerator("waiting", waiting)))
        assert.deepStrictEqual((yield* streams.live).map(({ status }) => status), ["pulling"])
        yield* Fiber.interrupt(reader)
        assert.deepStrictEqual(events, ["+g", "-g"])
        assert.deepStrictEqual(yield* streams.live, [])
      }).pipe(withStreams))

    it.effect("accepts other async iterables", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        let n = 0
        const counter = { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false as const, value: ++n }) }) }
        const stream = streams.fromGenerator("counter", () => counter)
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream, 3)), [1, 2, 3])
        const waiting = streams.fromGenerator("waiting", (signal) => ({
          [Symbol.asyncIterator]: () => ({
            next: () =>
              new Promise<IteratorResult<number>>((resolve) =>
                signal.addEventListener("abort", () => resolve({ done: true, value: undefined }))
              )
          })
        }))
        yield* Fiber.interrupt(yield* start(Stream.runDrain(waiting)))
        assert.deepStrictEqual(yield* streams.live, [])
      }).pipe(withStreams))

    it.effect("treats a synchronous throw of an iterator as a failure", () =>
      heard(({ reports }) =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const rude = (next: () => Promise<IteratorResult<number>>) =>
            streams.fromGenerator("rude", () => ({
              [Symbol.asyncIterator]: () => ({
                next,
                return: () => {
                  throw new Error("thrown by return")
                }
              })
            }))
          const thrown = rude(() => {
            throw new Error("thrown by next")
          })
          assert.match((yield* Effect.flip(Stream.runDrain(thrown))).message, /thrown by next$/)
          const said = rude(async () => ({ done: false, value: 1 }))
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(said, 1)), [1])
          assert.deepStrictEqual(reports, ["thrown by return"])
          assert.deepStrictEqual(yield* streams.live, [])
        }).pipe(withStreams)
      ))

    it.effect("reports errors thrown during closing, and errors that no pull received", () =>
      heard(({ lines, reports }) =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const bad = generator([], { atEnd: () => Promise.reject(new Error("rollback failed")) })
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(streams.fromGenerator("bad", bad), 1)), [1])
          assert.deepStrictEqual(reports, ["rollback failed"])
          assert.match(lines[0]!, /^"the end of the stream bad" failed Error: rollback failed/)
          const late = generator([], { atItem: () => settle().then(() => Promise.reject(new Error("reset"))) })
          yield* Effect.scoped(Effect.gen(function*() {
            const pull = yield* Stream.toPull(streams.fromGenerator("late", late))
            yield* Fiber.interrupt(yield* start(pull))
            yield* settled
            yield* settled
          }))
          assert.deepStrictEqual(reports, ["rollback failed", "reset"])
          const lost = generator([], {
            atItem: (_, signal) => aborted(signal).catch(() => Promise.reject(new Error("connection lost")))
          })
          yield* Fiber.interrupt(yield* start(Stream.runDrain(streams.fromGenerator("lost", lost))))
          assert.deepStrictEqual(reports, ["rollback failed", "reset", "connection lost"])
          assert.strictEqual(yield* metric("streams_failed_total"), 3)
          assert.deepStrictEqual(yield* streams.live, [])
        }).pipe(withStreams)
      ))
  })

  describe("compared with plain Effect", () => {
    const hangs = { inAwait: { atItem: forever }, inFinally: { atEnd: forever } }

    it.effect("names a generator that hangs in an await, instead of dropping it silently", () =>
      heard(({ lines, reports }) =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const events: Array<string> = []
          const read = Effect.fn("read")((stream: Stream.Stream<number, unknown>) => Stream.runDrain(stream))
          const plain = yield* start(
            read(Stream.fromAsyncIterable(generator(events, hangs.inAwait)(new AbortController().signal), String))
          )
          yield* Fiber.interrupt(plain)
          assert.deepStrictEqual([events, lines], [["+g"], []])
          const ours = yield* start(
            read(streams.fromGenerator("rows", generator(events, hangs.inAwait)))
          )
          const ending = yield* start(Fiber.interrupt(ours))
          yield* TestClock.adjust("4999 millis")
          assert.isUndefined(ending.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          assert.isDefined(ending.pollUnsafe())
          assert.match(
            lines[0]!,
            /^The stream "rows" did not end within 5s and was abandoned: it waits for .* It was opened by read \(.*ManagedStream\.test\.ts:\d+\)$/
          )
          assert.deepStrictEqual(reports, lines)
          assert.deepStrictEqual((yield* streams.live).map(({ status }) => status), ["stuck"])
          assert.strictEqual(yield* metric("streams_not_finalized_total"), 1)
          assert.strictEqual(yield* metric("streams_stuck"), 1)
        }).pipe(withStreams)
      ))

    it.effect("ends take(1) although a finally hangs, and logs when the finally ends after all", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const events: Array<string> = []
          const plain = yield* Effect.forkDetach(
            Stream.runDrain(
              Stream.take(
                Stream.fromAsyncIterable(generator(events, hangs.inFinally)(new AbortController().signal), String),
                1
              )
            ),
            { startImmediately: true }
          )
          let release = () => {}
          const atEnd = () => new Promise<void>((resolve) => release = resolve)
          const ours = yield* start(
            Stream.runCollect(
              Stream.take(streams.fromGenerator("rows", generator(events, { atEnd }), { returnTimeout: 100 }), 1)
            )
          )
          yield* settled
          yield* TestClock.adjust("100 millis")
          assert.deepStrictEqual(yield* Fiber.join(ours), [1])
          yield* TestClock.adjust("1 day")
          assert.isUndefined(plain.pollUnsafe())
          assert.match(
            lines[0]!,
            /^The stream "rows" did not end within 100ms and was abandoned: its clean-up does not/
          )
          release()
          yield* settled
          assert.strictEqual(lines[1], "The stream \"rows\", which was stuck, has ended after 1d 100ms")
          assert.strictEqual(yield* metric("streams_stuck"), 0)
          assert.deepStrictEqual(yield* streams.live, [])
        }).pipe(withStreams)
      ))

    it.effect("keeps the items of a pull that timed out", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const make = () => {
          const say: Array<() => void> = []
          const g = generator([], { count: 3, atItem: () => new Promise<void>((resolve) => say.push(resolve)) })
          return { g, next: Effect.andThen(Effect.sync(() => say.shift()!()), settled) }
        }
        const read = (stream: Stream.Stream<number, unknown>, next: Effect.Effect<unknown>) =>
          Effect.scoped(Effect.gen(function*() {
            const got: Array<number> = []
            const pull = yield* Stream.toPull(stream)
            for (let n = 1; n <= 3; n++) {
              yield* Fiber.interrupt(yield* start(pull))
              yield* Fiber.interrupt(yield* start(pull))
              yield* next
              const exit = (yield* start(pull)).pollUnsafe()
              if (exit !== undefined && Exit.isSuccess(exit)) got.push(...exit.value)
            }
            return got
          }))
        const plain = make()
        const signal = new AbortController().signal
        assert.deepStrictEqual(yield* read(Stream.fromAsyncIterable(plain.g(signal), String), plain.next), [])
        const ours = make()
        assert.deepStrictEqual(yield* read(streams.fromGenerator("rows", ours.g), ours.next), [1, 2, 3])
      }).pipe(withStreams))

    it.effect("runs a finally that yields to its end", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const ended: Array<string> = []
        const yields = async function*(name: string) {
          try {
            try {
              yield 1
            } finally {
              yield 2
            }
          } finally {
            yield 3
            ended.push(name)
          }
        }
        const one = <E>(stream: Stream.Stream<number, E>) => Stream.runDrain(Stream.take(stream, 1))
        yield* one(Stream.fromAsyncIterable(yields("plain"), String))
        assert.deepStrictEqual(ended, [])
        yield* one(streams.fromGenerator("rows", () => yields("ours")))
        assert.deepStrictEqual(ended, ["ours"])
      }).pipe(withStreams))

    it.effect("abandons a generator that never stops yielding in its finally", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const stubborn = async function*() {
          for (;;) {
            try {
              yield 1
            } finally {
              // The subject of the test.
              // oxlint-disable-next-line no-unsafe-finally
              continue
            }
          }
        }
        const reader = yield* start(Stream.runDrain(Stream.take(streams.fromGenerator("stubborn", stubborn), 1)))
        yield* settled
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(reader)
        assert.deepStrictEqual((yield* streams.live).map(({ status }) => status), ["stuck"])
      }).pipe((effect) => heard(() => withStreams(effect))))
  })

  describe("live", () => {
    it.effect("lists label, status, items, age and site", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const read = Effect.fn("read")(function*() {
          yield* Stream.runForEach(
            Stream.take(streams.fromGenerator("rows", generator([])), 3),
            (n) => n === 2 ? Effect.sleep("1 second") : Effect.void
          )
        })
        const reader = yield* start(read())
        yield* settled
        yield* TestClock.adjust("400 millis")
        const [one, ...others] = yield* streams.live
        assert.deepInclude(one, {
          label: "rows",
          status: "open",
          items: 2,
          age: Duration.millis(400),
          owner: reader.id
        })
        assert.strictEqual(one?.site.fork?.name, "read")
        assert.lengthOf(others, 0)
        assert.strictEqual(yield* metric("streams_live"), 1)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(reader)
        assert.strictEqual(yield* metric("streams_live"), 0)
        assert.strictEqual(yield* metric("streams_opened_total"), 1)
      }).pipe(withStreams))

    it.effect("does not list a generator that has ended, while its scope is open", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const pull = yield* Stream.toPull(streams.fromGenerator("one", generator([], { count: 1 })))
        yield* pull
        assert.lengthOf(yield* streams.live, 1)
        yield* Effect.flip(pull)
        assert.lengthOf(yield* streams.live, 0)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pull)))
      }).pipe(Effect.scoped, withStreams))
  })

  describe("closeAll", () => {
    it.effect("ends every generator, fails pulling fibers, and opens nothing afterwards", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const idle = yield* Stream.toPull(streams.fromGenerator("idle", generator(events, { name: "idle" })))
        yield* idle
        const waiting = generator(events, { name: "waiting", atItem: (_, signal) => aborted(signal) })
        const reader = yield* start(Effect.flip(Stream.runDrain(streams.fromGenerator("waiting", waiting))))
        const report = yield* streams.closeAll()
        assert.deepStrictEqual(outcomes(report), ["idle closed", "waiting closed"])
        assert.deepStrictEqual(events.toSorted(), ["+idle", "+waiting", "-idle", "-waiting"])
        assert.strictEqual(
          (yield* Fiber.join(reader)).message,
          "The stream \"waiting\" was closed before its end. Stop its readers before closeAll is called"
        )
        assert.strictEqual((yield* Effect.flip(idle))._tag, "StreamClosed")
        const refused = streams.fromGenerator("late", generator(events, { name: "late" }))
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(refused)))._tag, "StreamClosed")
        assert.lengthOf(events, 4)
      }).pipe(Effect.scoped, withStreams))

    it.effect("opens nothing in a scope that is closed", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const scope = yield* Scope.make()
        yield* Scope.close(scope, Exit.void)
        let made = 0
        const stream = streams.fromGenerator("late", () => {
          made++
          return yieldsForEver()
        })
        const pull = yield* Stream.toPull(stream).pipe(Scope.provide(scope))
        assert.strictEqual((yield* Effect.flip(pull))._tag, "StreamClosed")
        assert.deepStrictEqual([made, yield* streams.live], [0, []])
      }).pipe(withStreams))

    interface Hang {
      readonly atItem?: () => Promise<never>
      readonly atEnd?: () => Promise<never>
      readonly make?: () => AsyncIterable<number>
      readonly returnTimeout?: Duration.Input
    }
    it.effect("fails a fiber that pulls from a hanging generator", () =>
      heard(() =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const pull = yield* Stream.toPull(streams.fromGenerator("hangs", generator([], { atItem: forever })))
          const reader = yield* start(Effect.flip(pull))
          yield* start(streams.closeAll())
          assert.strictEqual((yield* Fiber.join(reader))._tag, "StreamClosed")
          yield* TestClock.adjust("5 seconds")
        }).pipe(Effect.scoped, withStreams)
      ))

    const hangs: Readonly<Record<string, Hang>> = {
      "in an await": { atItem: forever },
      "in a finally": { atEnd: forever },
      "in an await, for longer than its own time": { atItem: forever, returnTimeout: "1 hour" },
      "in a finally, for longer than its own time": { atEnd: forever, returnTimeout: "1 hour" },
      "by yielding forever": { make: yieldsForEver, returnTimeout: "1 hour" }
    }

    for (const [where, hang] of Object.entries(hangs)) {
      it.effect(`ends by its deadline with a generator that hangs ${where}, and names it`, () =>
        heard(({ lines }) =>
          Effect.gen(function*() {
            const streams = yield* ManagedStream
            const open = Effect.fn("open")(function*() {
              const { make = generator([], hang), returnTimeout } = hang
              const pull = yield* Stream.toPull(streams.fromGenerator("stuck", make, { returnTimeout }))
              yield* Effect.forkScoped(Effect.ignore(pull), { startImmediately: true })
            })
            yield* open()
            const well = yield* Stream.toPull(streams.fromGenerator("well", generator([])))
            yield* well
            const closing = yield* start(streams.closeAll("3 seconds"))
            yield* settled
            yield* TestClock.adjust("2999 millis")
            assert.isUndefined(closing.pollUnsafe())
            yield* TestClock.adjust("1 millis")
            const report = yield* Fiber.join(closing)
            assert.deepStrictEqual(report.elapsed, Duration.seconds(3))
            assert.deepStrictEqual(outcomes(report), ["stuck stuck", "well closed"])
            assert.strictEqual(report.streams[0]?.site.fork?.name, "open")
            assert.strictEqual(report.streams[0]?.phase, "atItem" in hang ? "await" : "finally")
            assert.match(lines[0]!, /^The stream "stuck" did not end within 3s .* opened by open \(/)
            assert.match(
              render(report),
              /^2 streams closed in 3s\n {2}stuck: stuck after 3s in its (await|finally), opened by open \(.*\)\n {2}well: closed after 0$/
            )
          }).pipe(Effect.scoped, withStreams)
        ))
    }

    it.effect("waits no longer than the enclosing deadline, and gives each generator its own time", () =>
      heard(() =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          for (const returnTimeout of ["1 second", "1 hour"] as const) {
            const stuck = streams.fromGenerator(returnTimeout, generator([], { atEnd: forever }), { returnTimeout })
            yield* yield* Stream.toPull(stuck)
          }
          const closing = yield* start(Deadline.within(streams.closeAll("1 hour"), "2 seconds"))
          // A second request gives it no more time.
          yield* start(streams.closeAll("1 hour"))
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual((yield* streams.live).map(({ status }) => status), ["stuck", "closing"])
          yield* TestClock.adjust("1 second")
          assert.isDefined(closing.pollUnsafe())
          assert.deepStrictEqual((yield* streams.live).map(({ status }) => status), ["stuck", "stuck"])
        }).pipe(Effect.scoped, withStreams)
      ))

    it.effect("reports the error of the clean-up of a generator", () =>
      heard(() =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const bad = generator([], { atEnd: () => Promise.reject(new Error("rollback failed")) })
          yield* yield* Stream.toPull(streams.fromGenerator("bad", bad))
          const report = yield* streams.closeAll()
          assert.deepStrictEqual(outcomes(report), ["bad failed"])
          assert.match(render(report), /\n {2}bad: failed after 0: Error: rollback failed$/)
        }).pipe(Effect.scoped, withStreams)
      ))
  })

  it.effect("closes the remaining streams of open scopes at the end of the layer, within the configured time", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ CLOSE: "2 seconds" }))
        const layer = Layer.provide(ManagedStream.layerConfig({ closeDeadline: Config.Duration("CLOSE") }), config)
        const open = Effect.gen(function*() {
          const streams = yield* ManagedStream
          yield* yield* Stream.toPull(streams.fromGenerator("well", generator(events)))
          yield* yield* Stream.toPull(streams.fromGenerator("stuck", generator(events, { atEnd: forever })))
        })
        // The scope of the streams is that of the test: it is still open when the layer ends.
        const fiber = yield* start(Effect.provide(open, layer))
        yield* settled
        yield* TestClock.adjust("2 seconds")
        assert.isDefined(fiber.pollUnsafe())
        assert.deepStrictEqual(events, ["+g", "+g", "-g"])
        assert.match(lines[0]!, /^The stream "stuck" did not end within 2s/)
      }).pipe(Effect.scoped)
    ))

  it.effect("gives generators their time at the end of the layer, also after the enclosing deadline", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const events: Array<string> = []
        let release = () => {}
        const atEnd = () => new Promise<void>((resolve) => release = resolve)
        const open = Effect.gen(function*() {
          const streams = yield* ManagedStream
          yield* yield* Stream.toPull(streams.fromGenerator("slow", generator(events, { atEnd })))
          return yield* Effect.never
        })
        const fiber = yield* start(Effect.flip(Deadline.within(withStreams(open), "1 second")))
        yield* settled
        yield* TestClock.adjust("2 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        release()
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
        assert.deepStrictEqual([events, lines], [["+g", "-g"], []])
      }).pipe(Effect.scoped)
    ))

  it.effect("leaves no timer when the layer has ended", () =>
    Effect.gen(function*() {
      const streams = yield* ManagedStream
      const stream = streams.fromGenerator("slow", generator([], { atEnd: settle }))
      yield* Stream.runDrain(Stream.take(stream, 1))
    }).pipe(withStreams, noLeaks()))

  it.effect("closes in a shutdown after the phase flush and before the phase resources", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const shutdown = yield* GracefulShutdown
      yield* Effect.gen(function*() {
        const streams = yield* ManagedStream
        const waiting = generator(events, { atItem: (_, signal) => aborted(signal) })
        const reader = yield* start(Effect.flip(Stream.runDrain(streams.fromGenerator("waiting", waiting))))
        const note = (what: string) => Effect.sync(() => events.push(what))
        yield* shutdown.phase("rows", note("flush"), { order: "flush" })
        yield* shutdown.phase("pool", note("resources"), { order: "resources" })
        yield* shutdown.request("the test is over")
        yield* shutdown.awaitDrained
        assert.strictEqual((yield* Fiber.join(reader))._tag, "StreamClosed")
      }).pipe(Effect.scoped, withStreams)
      assert.deepStrictEqual(events, ["+g", "flush", "-g", "resources"])
    }).pipe(Effect.provide(GracefulShutdown.layer({ preStopDelay: 0 }))))

  describe("bounded", () => {
    it.effect("accepts a stream with exactly maxItems items", () =>
      Effect.gen(function*() {
        const stream = bounded(Stream.make(1, 2, 3), { maxItems: 3, maxDuration: "1 second" })
        assert.deepStrictEqual(yield* Stream.runCollect(stream), [1, 2, 3])
      }))

    it.effect("fails a longer stream after maxItems items", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        for (const stream of [Stream.range(1, 9), streams.fromGenerator("endless", generator(events))]) {
          const got: Array<ReadonlyArray<number>> = []
          const error = yield* stream.pipe(
            bounded({ label: "rows", maxItems: 3 }),
            Stream.runForEachArray((chunk) => Effect.sync(() => got.push(chunk))),
            Effect.flip
          )
          assert.deepStrictEqual(got.flat(), [1, 2, 3])
          assert.isTrue(got.every((chunk) => chunk.length > 0))
          assert.deepInclude(error, { _tag: "StreamExceeded", label: "rows", limit: "maxItems", items: 3 })
        }
        assert.deepStrictEqual(events, ["+g", "-g"])
      }).pipe(withStreams))

    it.effect("fails a stream that takes too long, also when it hangs, and ends its generator", () =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const events: Array<string> = []
        const waits = generator(events, { atItem: (n, signal) => n === 3 ? aborted(signal) : forNow })
        const reader = yield* start(Effect.flip(
          streams.fromGenerator("waits", waits).pipe(
            bounded({ maxDuration: "10 seconds" }),
            Stream.runForEach(() => Effect.sleep("1 second"))
          )
        ))
        yield* TestClock.adjust("9999 millis")
        yield* settled
        assert.isUndefined(reader.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        yield* settled
        const error = yield* Fiber.join(reader)
        assert.strictEqual(
          error.message,
          "The stream \"stream\" exceeded its maxDuration after 2 items and 10s. Raise it, or catch this error to use the items delivered so far"
        )
        assert.deepStrictEqual(events, ["+g", "-g"])
        // A stream that never waits for an item is stopped at the next one.
        const busy = yield* start(Effect.flip(
          Stream.runForEach(
            bounded(Stream.forever(Stream.make(1)), { maxDuration: "3 seconds" }),
            () => Effect.sleep("2 seconds")
          )
        ))
        yield* TestClock.adjust("4 seconds")
        assert.deepInclude(yield* Fiber.join(busy), { items: 2, elapsed: Duration.seconds(4) })
      }).pipe(withStreams))
  })

  describe("for random programs, interrupted at every point", () => {
    const returnTimeout = 2000
    let service: ManagedStream["Service"] | undefined
    /** Generators in an `await` or a `finally` that never ends. */
    let hanging = 0
    let reported: ReadonlyArray<string> = []

    /** All operations with streams, around a body. */
    const program = (script: Script.Script, ledger: Ledger) => {
      service = undefined
      hanging = 0
      return heard(({ reports }) =>
        Effect.gen(function*() {
          reported = reports
          const streams = service = yield* ManagedStream
          const run = Effect.runPromiseWith(yield* Effect.context())
          const hang = () => {
            hanging++
            return forever()
          }

          const stream = (
            name: string,
            atItem: (n: number, signal: AbortSignal) => Promise<unknown> = () => forNow,
            atEnd: () => Promise<unknown> = () => forNow
          ) =>
            streams.fromGenerator(name, async function*(signal) {
              const lease = ledger.acquire(name)
              try {
                for (let n = 1; n <= 4; n++) {
                  await atItem(n, signal)
                  ledger.use(lease)
                  yield n
                }
              } finally {
                await run(ledger.close(lease))
                await atEnd()
              }
            })
          const pause = () => run(Effect.sleep(1))
          const broken = () => Promise.reject(new Error("broken"))
          const fast = stream("fast")
          const slow = stream("slow", pause, pause)
          const waits = stream("waits", (n, signal) => n === 2 ? aborted(signal) : forNow)
          const fails = stream("fails", (n) => n === 2 ? broken() : forNow)
          const dies = stream("dies", undefined, broken)
          const hangs = streams.fromGenerator("hangs", async function*() {
            yield 1
            await hang()
          })
          const clings = streams.fromGenerator("clings", async function*() {
            try {
              yield 1
              yield 2
            } finally {
              await hang()
            }
          })

          /** Checks that no end takes longer than its limit. */
          const timed = <A, E, R>(limit: number, what: string, effect: Effect.Effect<A, E, R>) =>
            Effect.gen(function*() {
              const before = yield* clock
              yield* Effect.ignore(effect)
              const took = (yield* clock) - before
              if (took > limit) ledger.always(`${what} took ${took} of ${limit} ms`, () => false)
            })
          const expect = (what: string, got: ReadonlyArray<number>) => {
            if (got.some((n, i) => n !== i + 1)) ledger.always(`${what} got ${got}`, () => false)
          }

          const impatient = Effect.scoped(Effect.gen(function*() {
            const pull = yield* Channel.toPullScoped(slow.channel, yield* Scope.Scope)
            const got: Array<number> = []
            for (let n = 0; n < 8; n++) {
              const pulling = yield* Effect.forkChild(pull, { startImmediately: true })
              yield* Effect.yieldNow
              yield* Fiber.interrupt(pulling)
              const exit = pulling.pollUnsafe()
              if (exit !== undefined && Exit.isSuccess(exit)) got.push(...exit.value)
              expect("an impatient reader", got)
              if (n % 2 === 1) yield* Effect.sleep(1)
            }
          }))
          const collected = (source: typeof fast) =>
            Effect.suspend(() => {
              const got: Array<number> = []
              return Effect.onExit(
                Stream.runForEach(source, (n) => Effect.sync(() => got.push(n))),
                () => Effect.sync(() => expect("a reader", got))
              )
            })

          yield* Script.toEffect<unknown, never>(script, [
            (body) => Effect.andThen(collected(Stream.take(fast, 3)), body),
            (body) => Effect.andThen(Effect.ignore(Stream.runForEach(slow, (n) => n === 2 ? body : Effect.void)), body),
            (body) => Effect.andThen(impatient, body),
            (body) => Effect.raceFirst(collected(waits), body),
            (body) => Effect.andThen(Effect.ignore(collected(fails)), body),
            (body) => Effect.andThen(Effect.ignore(collected(Stream.take(dies, 1))), body),
            (body) =>
              Effect.andThen(timed(returnTimeout + 3, "hangs", Effect.timeoutOption(collected(hangs), 3)), body),
            (body) => Effect.andThen(timed(returnTimeout, "clings", collected(Stream.take(clings, 1))), body),
            (body) =>
              Effect.andThen(
                Effect.forkChild(collected(waits)),
                Effect.andThen(timed(5, "closeAll", streams.closeAll(5)), body)
              )
          ])
        }).pipe(Effect.provide(ManagedStream.layer({ returnTimeout })))
      )
    }

    const invariant = () => {
      if (service === undefined) return
      const live = Effect.runSync(service.live)
      const wrong: Array<string> = []
      if (live.some(({ status }) => status !== "stuck")) {
        wrong.push(`live: ${live.map(({ label, status }) => [label, status])}`)
      }
      const stuck = reported.filter((line) => line.includes("was abandoned")).length
      if (live.length !== hanging || stuck !== hanging) {
        wrong.push(`${hanging} hang, ${live.length} are listed and ${stuck} reported`)
      }
      return wrong
    }

    const options = { driver: "async", invariant } as const

    for (const order of ["fifo", "random"] as const) {
      // Promises do not use virtual time: the lab lets them settle, here and in the tests below.
      it.live.prop(
        `ends or names every generator (${order} order)`,
        { script: Script.Script },
        ({ script }) =>
          InterruptLab.verify((ledger) => program(script, ledger), { ...options, order, seed: script.length }),
        { arbitrary: { runs: 60 }, timeout: 120_000 }
      )
    }

    const use = (n: number): Script.Step => ({ op: "use", n, body: [{ op: "sleep", ms: 3 }] })

    for (const n of [0, 1, 2, 3, 8]) {
      it.live(`does so with generators that fail to begin, die, and end slowly (operation ${n})`, () =>
        InterruptLab.verify((ledger) => program([use(n)], ledger), {
          ...options,
          order: "random",
          inject: n === 8 ? ["failingAcquire", "dyingRelease"] : ["failingAcquire", "dyingRelease", "slowRelease"]
        }))
    }

    for (const [first, second] of [[2, 6], [7, 8], [1, 3]] as const) {
      it.live(`does so when interrupted twice (operations ${first} and ${second})`, () =>
        InterruptLab.verify((ledger) => program([{ op: "both", left: [use(first)], right: [use(second)] }], ledger), {
          ...options,
          pairs: true,
          budget: { runs: 1500 }
        }))
    }

    it.live("loses no item, wherever a pull is interrupted", () =>
      InterruptLab.verify(() =>
        Effect.gen(function*() {
          const streams = yield* ManagedStream
          const { channel } = streams.fromGenerator("items", async function*() {
            yield 1
            await forNow
            yield 2
          })
          // Not `Stream.toPull`: an interruption while the semaphore around its pulls is released drops the pulled item.
          const pull = yield* Channel.toPullScoped(channel, yield* Scope.Scope)
          const got: Array<number> = []
          const take = Effect.map(pull, (items) => got.push(...items))
          yield* Effect.exit(InterruptLab.subject(Effect.andThen(take, take)))
          yield* Effect.exit(Effect.forever(take))
          if (got.join() !== "1,2") return yield* Effect.die(new Error(`got ${got}`))
        }).pipe(Effect.scoped, Effect.provide(ManagedStream.layer())), { driver: "async" }))

    it.live("detects the generator that plain Effect leaves in an await (control)", () =>
      Effect.gen(function*() {
        const report = yield* InterruptLab.explore((ledger) =>
          Effect.ignore(Effect.timeout(
            Stream.runDrain(Stream.fromAsyncIterable(
              (async function*() {
                const lease = ledger.acquire("generator")
                try {
                  yield 1
                  await forever()
                } finally {
                  ledger.release(lease)
                }
              })(),
              String
            )),
            3
          )), { driver: "async" })
        assert.include(report.failures[0]?.problems ?? [], "generator#1 was acquired and never released")
      }))
  })
})

const clock = Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)

const forNow: Promise<unknown> = Promise.resolve()

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

const yieldsForEver = async function*() {
  try {
    yield 0
  } finally {
    for (let n = 1;; n++) yield n
  }
}
