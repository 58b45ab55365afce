import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  References,
  Schedule,
  Schema,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import type { BatchWorkerOptions } from "../src/BatchWorker.ts"
import * as BatchWorker from "../src/BatchWorker.ts"
import * as Deadline from "../src/Deadline.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InterruptLab } from "../src/testing/index.ts"

/** A worker that remembers what it flushed and what it gave up. */
const worker = (options: Partial<BatchWorkerOptions<number, string>> = {}) =>
  Effect.gen(function*() {
    const flushed: Array<ReadonlyArray<number>> = []
    const gaveUp: Array<ReadonlyArray<number>> = []
    const made = yield* BatchWorker.make<number, string>({
      maxSize: 3,
      flush: (items) => Effect.sync(() => flushed.push(items)),
      onGiveUp: (items) => Effect.sync(() => gaveUp.push(items)),
      ...options
    })
    return { worker: made, flushed, gaveUp }
  })

const stubborn = Effect.fn("stubborn")(function*(duration: Duration.Input) {
  yield* Effect.uninterruptible(Effect.sleep(duration))
})

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
  return Effect.map(
    Effect.provideService(effect, References.CurrentLoggers, new Set([logger])),
    (value) => ({ value, lines })
  )
}

/** The slow tier tries more programs, and more points of each. */
const effort = process.env["FIBERSCOPE_SLOW"] === undefined ? 1 : 20

describe("BatchWorker", () => {
  it.effect("flushes when a batch is full, and when its oldest item has waited long enough", () =>
    Effect.gen(function*() {
      const { flushed, worker: batches } = yield* worker({ maxWait: "1 second" })
      yield* Effect.forEach([1, 2, 3, 4], batches.offer)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(flushed, [[1, 2, 3]])
      yield* TestClock.adjust("600 millis")
      yield* batches.offer(5)
      yield* TestClock.adjust("399 millis")
      assert.lengthOf(flushed, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(flushed, [[1, 2, 3], [4, 5]])
      assert.deepStrictEqual(yield* batches.counts, { accepted: 5, flushed: 5, gaveUp: 0, lost: 0, pending: 0 })
    }))

  it.effect("flushes buffered items at the end, which Stream.groupedWithin loses", () =>
    Effect.gen(function*() {
      const written: Array<number> = []
      const plain = yield* Effect.forkChild(
        Stream.fromIterable([1, 2, 3]).pipe(
          Stream.concat(Stream.never),
          Stream.groupedWithin(100, "1 second"),
          Stream.runForEach((batch) => Effect.sync(() => written.push(...batch)))
        )
      )
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(plain)
      assert.deepStrictEqual(written, [])

      const ours = yield* Effect.scoped(
        Effect.tap(worker(), ({ worker: batches }) => Effect.forEach([1, 2], batches.offer))
      )
      assert.deepStrictEqual(ours.flushed, [[1, 2]])
    }))

  it.effect("flushNow flushes immediately and waits for the result", () =>
    Effect.gen(function*() {
      const { flushed, worker: batches } = yield* worker()
      yield* Effect.forEach([1, 2, 3, 4, 5], batches.offer)
      yield* batches.flushNow
      assert.deepStrictEqual(flushed, [[1, 2, 3], [4, 5]])
      yield* batches.flushNow
    }))

  it.effect("offerAwait returns the result of its item", () =>
    Effect.gen(function*() {
      const { worker: batches } = yield* worker({
        maxSize: 1,
        flush: ([item]) => item === 2 ? Effect.fail("no") : Effect.void
      })
      yield* batches.offerAwait(1)
      const error = yield* Effect.flip(batches.offerAwait(2))
      assert.strictEqual(error._tag, "BatchGaveUp")
      assert.match(error.message, /gave up a batch: .*no/)
      const waiting = yield* Effect.forkChild(batches.offerAwait(3), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* batches.flushNow
      assert.deepInclude(yield* batches.counts, { flushed: 2, gaveUp: 1 })
    }))

  it.effect("makes senders wait when its queue is full, and refuses them when it is closed", () =>
    Effect.gen(function*() {
      const { worker: batches } = yield* worker({ maxSize: 1, capacity: 1, flush: () => Effect.sleep("1 second") })
      yield* batches.offer(1)
      yield* TestClock.adjust(0)
      yield* batches.offer(2)
      assert.isFalse(batches.offerUnsafe(3))
      const waiting = yield* Effect.forkChild(Effect.flip(batches.offer(4)), { startImmediately: true })
      const drain = yield* Effect.forkChild(batches.drain(), { startImmediately: true })
      assert.instanceOf(yield* Fiber.join(waiting), BatchWorker.BatchWorkerClosed)
      assert.instanceOf(yield* Effect.flip(batches.offer(5)), BatchWorker.BatchWorkerClosed)
      yield* TestClock.adjust("2 seconds")
      assert.deepInclude(yield* Fiber.join(drain), { flushed: 2, gaveUp: 0, stuck: [] })
    }))

  it.effect("runs at most `concurrency` flushes at a time", () =>
    Effect.gen(function*() {
      let now = 0
      let most = 0
      const { worker: batches } = yield* worker({
        maxSize: 1,
        concurrency: 3,
        flush: () =>
          Effect.acquireUseRelease(
            Effect.sync(() => most = Math.max(most, ++now)),
            () => Effect.sleep("1 second"),
            () => Effect.sync(() => now--)
          )
      })
      yield* Effect.forEach([1, 2, 3, 4, 5, 6], batches.offer)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(most, 3)
      assert.deepInclude(yield* batches.counts, { flushed: 6 })
    }))

  describe("when a flush does not succeed", () => {
    it.effect("retries according to the schedule, and then gives up", () =>
      Effect.gen(function*() {
        let attempts = 0
        const causes: Array<Cause.Cause<unknown>> = []
        const { flushed, worker: batches } = yield* worker({
          name: "retries",
          retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 })),
          flush: (items) =>
            ++attempts === 3 || items[0] === 9 ? Effect.fail("down") : Effect.fail(`attempt ${attempts}`),
          onGiveUp: (_, cause) => Effect.sync(() => causes.push(cause))
        })
        yield* batches.offer(1)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(attempts, 3)
        assert.deepStrictEqual(causes.map(Cause.squash), ["down"])
        assert.deepStrictEqual(flushed, [])
        const metrics = (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["name"] === "retries")
        assert.deepInclude(metrics.find(({ id }) => id === "fiberscope_batchworker_retries_total")?.state, { count: 2 })
        assert.deepInclude(metrics.find(({ id }) => id === "fiberscope_batchworker_gaveup_total")?.state, { count: 1 })
      }))

    it.effect("does not retry an abandoned flush, because it may still succeed", () =>
      Effect.gen(function*() {
        let attempts = 0
        const { value } = yield* logged(Effect.gen(function*() {
          const made = yield* worker({
            name: "db",
            retry: Schedule.forever,
            flushDeadline: "1 second",
            flush: () => Effect.andThen(Effect.sync(() => attempts++), stubborn("5 seconds"))
          })
          yield* made.worker.offer(1)
          yield* TestClock.adjust("3 seconds")
          assert.deepStrictEqual(made.gaveUp, [[1]])
          yield* TestClock.adjust("5 seconds")
          return made
        }))
        assert.strictEqual(attempts, 1)
        assert.deepStrictEqual(value.gaveUp, [[1]])
      }))

    it.effect("continues with the next batch, also after a defect", () =>
      Effect.gen(function*() {
        const { gaveUp, worker: batches } = yield* worker({
          maxSize: 1,
          flush: ([item]) => {
            if (item === 1) throw new Error("thrown")
            return item === 2 ? Effect.die("dies") : item === 3 ? Effect.interrupt : Effect.void
          }
        })
        yield* Effect.forEach([1, 2, 3, 4], batches.offer)
        yield* batches.flushNow
        assert.deepStrictEqual(gaveUp, [[1], [2], [3]])
        assert.deepInclude(yield* batches.counts, { flushed: 1, gaveUp: 3, lost: 0 })
      }))

    it.effect("logs lost items when onGiveUp fails too", () =>
      Effect.gen(function*() {
        const { lines } = yield* logged(Effect.gen(function*() {
          const { worker: batches } = yield* worker({
            name: "hopeless",
            flush: () => Effect.fail("down"),
            onGiveUp: () => Effect.die("the disk is full")
          })
          yield* Effect.forEach([1, 2], batches.offer)
          yield* batches.flushNow
          yield* TestClock.adjust(0)
          assert.deepInclude(yield* batches.counts, { gaveUp: 2, lost: 2 })
        }))
        assert.strictEqual(lines[0], "\"hopeless\" lost 2 items: neither flush nor onGiveUp succeeded")
      }))
  })

  describe("drain", () => {
    const hangs = {
      "a flush that cannot be interrupted": { flush: () => stubborn("1 hour") },
      "a flush whose finalizer hangs": {
        flush: () => Effect.onInterrupt(Effect.never, () => stubborn("1 hour"))
      },
      "a flush that never ends": { flush: () => Effect.never },
      "a flush that always fails": { flush: () => Effect.fail("down"), retry: Schedule.spaced("1 second") },
      "an onGiveUp that hangs": { flush: () => Effect.fail("down"), onGiveUp: () => stubborn("1 hour") },
      "both": { flush: () => stubborn("1 hour"), onGiveUp: () => stubborn("1 hour") }
    } satisfies Record<string, Partial<BatchWorkerOptions<number, string>>>

    for (const [name, options] of Object.entries(hangs)) {
      it.effect(`ends by its deadline for ${name}, and names the stuck calls`, () =>
        Effect.gen(function*() {
          const { value: report } = yield* logged(Effect.gen(function*() {
            const { worker: batches } = yield* worker({
              maxSize: 2,
              concurrency: 2,
              flushDeadline: "1 hour",
              ...options
            })
            yield* Effect.forEach([1, 2, 3, 4, 5], batches.offer)
            const drain = yield* Effect.forkChild(batches.drain({ deadline: "3 seconds" }), { startImmediately: true })
            yield* TestClock.adjust("3 seconds")
            const done = yield* Fiber.join(drain)
            yield* TestClock.adjust("3 hours")
            return done
          }))
          assert.isAtMost(Duration.toMillis(report.elapsed), 3000)
          assert.strictEqual(report.flushed + report.gaveUp, 5)
          assert.strictEqual(report.flushed, 0)
          const expected = { "flush": /hang|cannot|both/, "onGiveUp": /onGiveUp|both/ }
          for (const [what, pattern] of Object.entries(expected)) {
            const stuck = report.stuck.filter((one) => one.what === what)
            const should = pattern.test(name) && (what === "onGiveUp" || !name.startsWith("an onGiveUp"))
            assert.strictEqual(stuck.length > 0, should, `${what} is ${should ? "" : "not "}stuck`)
            for (const { items, site } of stuck) {
              assert.isAtLeast(items, 1)
              assert.strictEqual(site.runs?.name ?? site.fork?.name, "stubborn")
            }
          }
        }))
    }

    it.effect("obeys the enclosing deadline, and calls onGiveUp even without any remaining time", () =>
      Effect.gen(function*() {
        const { lines } = yield* logged(Effect.gen(function*() {
          const { worker: batches } = yield* worker({ name: "late", flush: () => Effect.never })
          yield* batches.offer(1)
          const drain = yield* Effect.forkChild(Deadline.within(batches.drain(), "1 second"))
          yield* TestClock.adjust("1 second")
          assert.isDefined(drain.pollUnsafe())
          const other = yield* worker({ name: "no time" })
          yield* other.worker.offer(1)
          const report = yield* other.worker.drain({ deadline: 0 })
          assert.deepInclude(report, { flushed: 0, gaveUp: 1 })
          assert.deepStrictEqual(other.gaveUp, [])
          const slow = yield* worker({ name: "slow", maxSize: 1, flush: () => Effect.sleep("1 second") })
          yield* slow.worker.offer(1)
          yield* TestClock.adjust(0)
          assert.deepInclude(yield* slow.worker.drain({ deadline: 0 }), { gaveUp: 1 })
          yield* TestClock.adjust("1 second")
        }))
        assert.include(lines, "\"slow\" flushed 1 items after they had been given up")
        assert.include(lines, "\"no time\" lost 1 items: there was no time to flush them or to pass them to onGiveUp")
      }))

    it.effect("waits for a running onGiveUp", () =>
      Effect.gen(function*() {
        const gaveUp: Array<ReadonlyArray<number>> = []
        const { worker: batches } = yield* worker({
          flush: () => Effect.fail("down"),
          onGiveUp: (items) => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => gaveUp.push(items)))
        })
        yield* batches.offer(1)
        const drain = yield* Effect.forkChild(batches.drain(), { startImmediately: true })
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(drain.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepInclude(yield* Fiber.join(drain), { flushed: 0, gaveUp: 1, stuck: [] })
        assert.deepStrictEqual(gaveUp, [[1]])
      }))

    it.effect("runs when the scope closes", () =>
      Effect.gen(function*() {
        const { lines } = yield* logged(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.scoped(Effect.tap(
            worker({ name: "db", flush: () => stubborn("1 hour"), drainDeadline: "2 seconds" }),
            ({ worker: batches }) => batches.offer(1)
          )))
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual((yield* Fiber.join(fiber)).gaveUp, [[1]])
          yield* TestClock.adjust("2 hours")
        }))
        assert.match(
          lines.join("\n"),
          /^"db" has ended, but flush of 1 items is still running after 1s 600ms \(.*stubborn/m
        )
      }))
  })

  it.effect("is a service, and reads its options from the configuration", () =>
    Effect.gen(function*() {
      class Rows extends BatchWorker.Service<Rows, number>()("test/Rows") {}
      class Table extends Context.Service<Table, Array<number>>()("test/Table") {}
      const table: Array<number> = []
      const layer = Rows.layerConfig(
        { maxSize: Config.Int("MAX_SIZE") },
        { flush: (items) => Effect.map(Table, (rows) => rows.push(...items)), onGiveUp: () => Effect.void }
      )
      const provided = (values: object) =>
        Layer.provide(layer, [Layer.succeed(Table, table), ConfigProvider.layer(ConfigProvider.fromUnknown(values))])
      yield* Effect.gen(function*() {
        const rows = yield* Rows
        yield* rows.offer(1)
        yield* rows.offerAwait(2)
        assert.deepStrictEqual(table, [1, 2])
      }).pipe(Effect.provide(provided({ MAX_SIZE: 2 })))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(Layer.build(provided({}))))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.scoped(Layer.build(provided({ MAX_SIZE: 0 }))))))
    }))

  describe("for random programs, interrupted at every point", () => {
    const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
    const Script = Schema.Struct({
      maxSize: small(1, 3),
      spare: small(0, 2),
      concurrency: small(1, 2),
      maxWait: small(0, 5),
      retries: small(0, 1),
      drainDeadline: small(0, 30),
      /** The behaviour of the flushes, one after the other. */
      flushes: Schema.Array(Schema.Struct({
        kind: Schema.Literals(["sync", "sleep", "fail", "die", "interrupt", "stubborn", "hang"]),
        ms: small(0, 20)
      })).check(Schema.isMaxLength(3)),
      giveUp: Schema.Literals(["sync", "sleep", "die", "hang"]),
      steps: Schema.Array(Schema.Struct({
        op: Schema.Literals(["offer", "offer", "offerUnsafe", "forkOffer", "offerAwait", "flushNow", "drain", "sleep"]),
        ms: small(0, 6)
      })).check(Schema.isMaxLength(6))
    })

    /** The result of each item, as seen by offer, flush and onGiveUp. */
    class Books {
      readonly accepted = new Set<number>()
      readonly ends = new Map<number, number>()
      counts: (() => BatchWorker.BatchWorkerCounts) | undefined

      end(items: ReadonlyArray<number>): void {
        for (const item of items) this.ends.set(item, (this.ends.get(item) ?? 0) + 1)
      }

      problems(script: typeof Script.Type): ReadonlyArray<string> {
        const counts = this.counts?.()
        if (counts === undefined) return []
        const { accepted, flushed, gaveUp, lost, pending } = counts
        // Without time for onGiveUp, or when it hangs, items are lost and counted. An abandoned flush may still succeed.
        const twice = [...this.ends].filter(([, times]) => times > 1).map(([item]) => item)
        const gone = [...this.accepted].filter((item) => !this.ends.has(item))
        const mayEndTwice = script.flushes.some(({ kind }) => kind === "stubborn" || kind === "hang")
        return [
          ...accepted === flushed + gaveUp && pending === 0 ? [] : [`counts: ${JSON.stringify(counts)}`],
          ...gone.length <= lost ? [] : [`items ${gone} were accepted and are gone; ${lost} are reported as lost`],
          ...twice.length === 0 || mayEndTwice ? [] : [`items ${twice} had two ends`]
        ]
      }
    }

    const interpret = (
      script: typeof Script.Type,
      ledger: Ledger,
      books: Books
    ): Effect.Effect<void, unknown, Scope.Scope> =>
      Effect.gen(function*() {
        let flushes = 0
        const flush = (items: ReadonlyArray<number>): Effect.Effect<void, string> => {
          const { kind, ms } = script.flushes[flushes++] ?? { kind: "sync", ms: 0 }
          const commit = Effect.sync(() => books.end(items))
          switch (kind) {
            case "sync":
              return commit
            case "sleep":
              return Effect.andThen(
                Effect.acquireUseRelease(ledger.open("transaction"), () =>
                  Effect.sleep(ms), (lease) =>
                  ledger.close(lease)),
                commit
              ).pipe(Effect.mapError(String))
            case "fail":
              return Effect.andThen(Effect.sleep(ms), Effect.fail("down"))
            case "die":
              return Effect.die("down")
            case "interrupt":
              return Effect.interrupt
            case "stubborn":
              return Effect.uninterruptible(Effect.andThen(Effect.sleep(ms), commit))
            case "hang":
              return Effect.uninterruptible(Effect.sleep("30 seconds"))
          }
        }
        const handOver = (items: ReadonlyArray<number>): Effect.Effect<void> => {
          const taken = Effect.sync(() =>
            books.end(items)
          )
          switch (script.giveUp) {
            case "sync":
              return taken
            case "sleep":
              return Effect.andThen(Effect.sleep(1), taken)
            case "die":
              return Effect.die("the disk is full")
            case "hang":
              return Effect.uninterruptible(Effect.sleep("30 seconds"))
          }
        }
        const batches = yield* BatchWorker.make<number, string>({
          name: "lab",
          maxSize: script.maxSize,
          capacity: script.maxSize + script.spare,
          concurrency: script.concurrency,
          maxWait: script.maxWait,
          ...script.retries > 0 ? { retry: Schedule.recurs(script.retries) } : {},
          flushDeadline: Math.max(15, script.drainDeadline),
          drainDeadline: script.drainDeadline,
          flush,
          onGiveUp: handOver
        })
        books.counts = () => Effect.runSync(batches.counts)
        ledger.always("accepted = flushed + gaveUp + pending", () => {
          const { accepted, flushed, gaveUp, pending } = Effect.runSync(batches.counts)
          return accepted === flushed + gaveUp + pending
        })
        let offered = 0
        for (const step of script.steps) {
          const item = offered++
          const accepted = Effect.sync(() => void books.accepted.add(item))
          const offer = Effect.exit(Effect.andThen(Effect.timeout(batches.offer(item), "1 minute"), accepted))
          switch (step.op) {
            case "offer":
              yield* offer
              break
            case "forkOffer":
              yield* Effect.forkChild(offer)
              break
            case "offerUnsafe":
              if (batches.offerUnsafe(item)) books.accepted.add(item)
              break
            case "offerAwait":
              yield* Effect.exit(Effect.timeout(Effect.andThen(batches.offerAwait(item), accepted), "1 minute"))
              break
            case "flushNow":
              yield* batches.flushNow
              break
            case "sleep":
              yield* Effect.sleep(step.ms)
              break
            case "drain": {
              const report = yield* batches.drain({ deadline: step.ms })
              const took = Duration.toMillis(report.elapsed)
              ledger.always(`drain ends by its deadline: ${took} <= ${step.ms}`, () => took <= step.ms)
              break
            }
          }
        }
      })

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `flushes or gives up each accepted item, and counts the others (${order} order)`,
        { script: Script },
        ({ script }) =>
          Effect.suspend(() => {
            let books = new Books()
            return InterruptLab.verify((ledger) => {
              books = new Books()
              return Effect.scoped(interpret(script, ledger, books))
            }, { order, seed: script.steps.length, budget: { runs: 100 }, invariant: () => books.problems(script) })
          }),
        { arbitrary: { runs: 30 * effort }, timeout: 60_000 }
      )
    }

    it.effect(
      "does not give up a batch that is flushed at the moment of its deadline",
      () =>
        Effect.forEach([59, 60, 61], (ms) => {
          const script: typeof Script.Type = {
            maxSize: 1,
            spare: 0,
            concurrency: 1,
            maxWait: 0,
            retries: 0,
            drainDeadline: 100,
            flushes: [{ kind: "sleep", ms }],
            giveUp: "sync",
            steps: [{ op: "offer", ms: 0 }]
          }
          let books = new Books()
          return InterruptLab.verify((ledger) => {
            books = new Books()
            return Effect.scoped(interpret(script, ledger, books))
          }, { order: "random", orders: 20, budget: { runs: 500 }, invariant: () => books.problems(script) })
        }),
      60_000
    )

    it.effect(
      "settles each item exactly once at every point of a flush, with slow and failing parts",
      () =>
        Effect.suspend(() => {
          const script: typeof Script.Type = {
            maxSize: 2,
            spare: 0,
            concurrency: 1,
            maxWait: 3,
            retries: 1,
            drainDeadline: 25,
            flushes: [{ kind: "sleep", ms: 4 }, { kind: "fail", ms: 2 }, { kind: "sleep", ms: 20 }],
            giveUp: "sleep",
            steps: [
              { op: "offer", ms: 0 },
              { op: "offer", ms: 0 },
              { op: "forkOffer", ms: 0 },
              { op: "sleep", ms: 5 },
              { op: "offer", ms: 0 }
            ]
          }
          let books = new Books()
          return InterruptLab.verify((ledger) => {
            books = new Books()
            return Effect.scoped(interpret(script, ledger, books))
          }, {
            order: "random",
            orders: 2,
            inject: ["failingAcquire", "dyingRelease", "slowRelease"],
            budget: { runs: 600 * effort },
            invariant: () => books.problems(script)
          })
        }),
      60_000
    )
  })
})
