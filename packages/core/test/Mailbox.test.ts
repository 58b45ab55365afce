import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import {
  Cause,
  Config,
  ConfigProvider,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Queue,
  References,
  Schedule,
  Schema
} from "effect"
import { TestClock } from "effect/testing"
import type { DropReason, MailboxOptions } from "../src/Mailbox.ts"
import * as Mailbox from "../src/Mailbox.ts"
import type { Ledger } from "../src/testing/index.ts"
import { InjectedFailure, InterruptLab } from "../src/testing/index.ts"

/** A mailbox of numbers that remembers what it dropped. */
const numbers = (options: Partial<MailboxOptions<number>> = {}) =>
  Effect.gen(function*() {
    const drops: Array<[number, DropReason]> = []
    const mailbox = yield* Mailbox.make<number>({
      capacity: 2,
      onDrop: (item, reason) => drops.push([item, reason]),
      ...options
    })
    return { mailbox, drops }
  })

const keep = Effect.succeed<number>

/** The slow tier tries more programs, and more points of each. */
const effort = process.env["FIBERSCOPE_SLOW"] === undefined ? 1 : 20

describe("Mailbox", () => {
  it.effect("delivers in the order in which items were sent", () =>
    Effect.gen(function*() {
      const { mailbox } = yield* numbers({ capacity: 100 })
      for (let i = 0; i < 100; i++) assert.isTrue(yield* mailbox.send(i))
      const received: Array<number> = []
      yield* mailbox.close
      yield* mailbox.run((item) => Effect.sync(() => received.push(item)))
      assert.deepStrictEqual(received, Array.from({ length: 100 }, (_, i) => i))
      assert.deepInclude(yield* mailbox.counts, { offered: 100, delivered: 100, dropped: 0, owned: 0, size: 0 })
    }))

  it.effect("makes receivers wait, and passes each item to one of them", () =>
    Effect.gen(function*() {
      const { mailbox } = yield* numbers()
      const receivers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(mailbox.receive(keep), { startImmediately: true }))
      for (const item of [10, 20, 30]) {
        yield* mailbox.send(item)
      }
      assert.deepStrictEqual(yield* Fiber.joinAll(receivers), [10, 20, 30])
    }))

  describe("when it is full", () => {
    it.effect("suspends the sender until there is room, in order", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers()
        const senders = yield* Effect.forEach([1, 2, 3, 4], (item) =>
          Effect.forkChild(mailbox.send(item), { startImmediately: true }))
        assert.strictEqual(yield* mailbox.size, 2)
        assert.isFalse(mailbox.sendUnsafe(99))
        const received = []
        for (let i = 0; i < 4; i++) {
          received.push(yield* mailbox.receive(keep))
        }
        assert.deepStrictEqual(received, [1, 2, 3, 4])
        yield* Fiber.joinAll(senders)
        assert.strictEqual((yield* mailbox.counts).offered, 4)
      }))

    it.effect("passes dropped items to onDrop, the newest or the oldest, while a queue drops them silently", () =>
      Effect.gen(function*() {
        const sliding = yield* Queue.sliding<number>(2)
        yield* Queue.offerAll(sliding, [1, 2, 3])
        assert.deepStrictEqual(yield* Queue.takeAll(sliding), [2, 3])

        const newest = yield* numbers({ overflow: "dropNewest" })
        for (const item of [1, 2]) assert.isTrue(yield* newest.mailbox.send(item))
        assert.isFalse(yield* newest.mailbox.send(3))
        assert.isFalse(newest.mailbox.sendUnsafe(4))
        assert.deepStrictEqual(newest.drops, [[3, "overflow"], [4, "overflow"]])

        const oldest = yield* numbers({ overflow: "dropOldest" })
        for (const item of [1, 2, 3]) assert.isTrue(yield* oldest.mailbox.send(item))
        assert.isTrue(oldest.mailbox.sendUnsafe(4))
        assert.deepStrictEqual(oldest.drops, [[1, "overflow"], [2, "overflow"]])
        assert.deepStrictEqual([yield* oldest.mailbox.receive(keep), yield* oldest.mailbox.receive(keep)], [3, 4])
      }))

    it.effect("fails, immediately or after some time", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers({ name: "inbox", overflow: "fail" })
        for (const item of [1, 2]) yield* mailbox.send(item)
        const error = yield* Effect.flip(mailbox.send(3))
        assert.match(error.message, /^The mailbox "inbox" is full: 2 items are waiting/)

        const patient = yield* numbers({ overflow: { waitUpTo: "1 second" } })
        for (const item of [1, 2]) yield* patient.mailbox.send(item)
        const late = yield* Effect.forkChild(Effect.flip(patient.mailbox.send(3)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(late))._tag, "MailboxFull")
        const early = yield* Effect.forkChild(patient.mailbox.send(4))
        yield* TestClock.adjust("500 millis")
        yield* patient.mailbox.receive(keep)
        assert.isTrue(yield* Fiber.join(early))
        assert.deepStrictEqual([...patient.drops], [])
      }))

    it.effect("merges the newest item with the sent one", () =>
      Effect.gen(function*() {
        const { drops, mailbox } = yield* numbers({ overflow: { conflate: (a, b) => a + b } })
        for (const item of [1, 2, 3]) yield* mailbox.send(item)
        mailbox.sendUnsafe(4)
        assert.deepStrictEqual([yield* mailbox.receive(keep), yield* mailbox.receive(keep)], [1, 9])
        assert.deepStrictEqual(drops, [[2, "conflated"], [5, "conflated"]])
        assert.deepInclude(yield* mailbox.counts, { offered: 4, delivered: 2, dropped: 2 })
      }))

    it.effect("logs the 1st, 2nd, 4th, … drop without onDrop", () =>
      Effect.gen(function*() {
        const lines: Array<unknown> = []
        const logger = Logger.make(({ message }) => void lines.push(message))
        yield* Effect.gen(function*() {
          const mailbox = yield* Mailbox.make<number>({ name: "lossy", capacity: 1, overflow: "dropOldest" })
          for (let i = 0; i < 10; i++) yield* mailbox.send(i)
        }).pipe(Effect.scoped, Effect.provideService(References.CurrentLoggers, new Set([logger])))
        assert.deepStrictEqual(lines.flat(), [
          "The mailbox \"lossy\" has dropped its first item (overflow)",
          "The mailbox \"lossy\" has dropped 2 items so far (overflow)",
          "The mailbox \"lossy\" has dropped 4 items so far (overflow)",
          "The mailbox \"lossy\" has dropped 8 items so far (overflow)"
        ])
      }))

    it.effect("continues after an onDrop that throws, and reports it", () =>
      Effect.gen(function*() {
        const lines: Array<unknown> = []
        const logger = Logger.make(({ cause }) => void lines.push(Cause.pretty(cause).split("\n")[0]))
        yield* Effect.gen(function*() {
          const throwing = () => {
            throw new Error("in onDrop")
          }
          const { mailbox } = yield* numbers({ onDrop: throwing })
          yield* mailbox.send(1)
          yield* mailbox.send(2)
          assert.strictEqual(yield* mailbox.closeNow, 2)
        }).pipe(Effect.scoped, Effect.provideService(References.CurrentLoggers, new Set([logger])))
        assert.deepStrictEqual(lines, ["Error: in onDrop", "Error: in onDrop"])
      }))
  })

  describe("an item whose handler does not succeed", () => {
    it.effect("returns to the head of the queue when the handler is interrupted, while take loses it", () =>
      Effect.gen(function*() {
        const queue = yield* Queue.bounded<number>(2)
        yield* Queue.offer(queue, 1)
        const taker = yield* Effect.forkChild(Effect.flatMap(Queue.take(queue), () => Effect.never), {
          startImmediately: true
        })
        yield* Fiber.interrupt(taker)
        assert.strictEqual(yield* Queue.size(queue), 0)

        const { mailbox } = yield* numbers()
        yield* mailbox.send(1)
        yield* mailbox.send(2)
        const receiver = yield* Effect.forkChild(mailbox.receive(() => Effect.never), { startImmediately: true })
        assert.deepInclude(yield* mailbox.counts, { owned: 1, size: 1 })
        yield* Fiber.interrupt(receiver)
        assert.deepStrictEqual([yield* mailbox.receive(keep), yield* mailbox.receive(keep)], [1, 2])
        assert.deepInclude(yield* mailbox.counts, { redelivered: 1, delivered: 2 })
      }))

    it.effect("returns when its handler fails, until it is undeliverable", () =>
      Effect.gen(function*() {
        const { drops, mailbox } = yield* numbers({ maxDeliveries: 2 })
        yield* mailbox.send(1)
        assert.strictEqual(yield* Effect.flip(mailbox.receive(() => Effect.fail("no"))), "no")
        yield* Effect.exit(mailbox.receive(() => Effect.interrupt))
        assert.deepStrictEqual(drops, [])
        yield* Effect.exit(mailbox.receive(() => Effect.die("no")))
        assert.deepStrictEqual(drops, [[1, "undeliverable"]])
      }))

    it.effect("is finished with the policy `finish`", () =>
      Effect.gen(function*() {
        const { drops, mailbox } = yield* numbers({ unfinished: "finish" })
        yield* mailbox.send(1)
        yield* Effect.exit(mailbox.receive(() => Effect.fail("no")))
        assert.deepInclude(yield* mailbox.counts, { delivered: 1, size: 0 })
        assert.deepStrictEqual(drops, [])
      }))

    it.effect("ends the run, which can be started again", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers({ capacity: 10 })
        for (const item of [1, 2, 3]) yield* mailbox.send(item)
        yield* mailbox.close
        const handled: Array<number> = []
        let failures = 0
        const handle = (item: number) =>
          item === 2 && failures++ < 2 ? Effect.fail("not yet") : Effect.sync(() => handled.push(item))
        yield* Effect.retry(mailbox.run(handle), Schedule.recurs(5))
        assert.deepStrictEqual(handled, [1, 2, 3])
      }))
  })

  it.effect("runs handlers concurrently, up to the given number", () =>
    Effect.gen(function*() {
      const { mailbox } = yield* numbers({ capacity: 10 })
      for (let i = 0; i < 10; i++) yield* mailbox.send(i)
      yield* mailbox.close
      let now = 0
      let most = 0
      const fiber = yield* Effect.forkChild(mailbox.run(() =>
        Effect.acquireUseRelease(
          Effect.sync(() => most = Math.max(most, ++now)),
          () => Effect.sleep("1 second"),
          () => Effect.sync(() => now--)
        ), { concurrency: 4 }))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(most, 4)
    }))

  describe("when it is closed", () => {
    it.effect("refuses new and waiting senders, and delivers queued items", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers()
        for (const item of [1, 2]) yield* mailbox.send(item)
        const waiting = yield* Effect.forkChild(Effect.flip(mailbox.send(3)), { startImmediately: true })
        yield* mailbox.close
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "MailboxClosed")
        assert.strictEqual((yield* Effect.flip(mailbox.send(4)))._tag, "MailboxClosed")
        assert.isFalse(mailbox.sendUnsafe(5))
        assert.strictEqual(yield* mailbox.receive(keep), 1)
        assert.strictEqual(yield* mailbox.receive(keep), 2)
        assert.instanceOf(yield* Effect.flip(mailbox.receive(keep)), Mailbox.MailboxClosed)
      }))

    it.effect("makes receivers wait for an item that may return", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers()
        yield* mailbox.send(1)
        yield* mailbox.close
        const owner = yield* Effect.forkChild(mailbox.receive(() => Effect.never), { startImmediately: true })
        const next = yield* Effect.forkChild(mailbox.receive(keep), { startImmediately: true })
        const another = yield* Effect.forkChild(Effect.flip(mailbox.receive(keep)), { startImmediately: true })
        yield* Fiber.interrupt(owner)
        assert.strictEqual(yield* Fiber.join(next), 1)
        assert.instanceOf(yield* Fiber.join(another), Mailbox.MailboxClosed)
      }))

    it.effect("drops the remaining items with closeNow, and at the end of the scope", () =>
      Effect.gen(function*() {
        const { drops, mailbox } = yield* numbers({ capacity: 10 })
        for (const item of [1, 2, 3]) yield* mailbox.send(item)
        const owner = yield* Effect.forkChild(mailbox.receive(() => Effect.never), { startImmediately: true })
        assert.strictEqual(yield* mailbox.closeNow, 2)
        yield* Fiber.interrupt(owner)
        assert.deepStrictEqual(drops, [[2, "closed"], [3, "closed"], [1, "closed"]])

        const scoped = yield* Effect.scoped(Effect.tap(numbers(), ({ mailbox }) => mailbox.send(7)))
        assert.deepStrictEqual(scoped.drops, [[7, "closed"]])
      }))

    it.effect("awaitDrained ends when every item is settled", () =>
      Effect.gen(function*() {
        const { mailbox } = yield* numbers()
        yield* mailbox.awaitDrained
        yield* mailbox.send(1)
        const drained = yield* Effect.forkChild(mailbox.awaitDrained, { startImmediately: true })
        const owner = yield* Effect.forkChild(mailbox.receive(() => Effect.sleep("1 second")), {
          startImmediately: true
        })
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(drained.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(owner)
        yield* Fiber.join(drained)
      }))
  })

  it.effect("is a service, with metrics, and reads its options from the configuration", () =>
    Effect.gen(function*() {
      class Jobs extends Mailbox.Service<Jobs, string>()("test/Jobs") {}
      const layer = Jobs.layerConfig(
        { name: Config.succeed("jobs"), capacity: Config.Int("CAPACITY") },
        { overflow: "dropNewest", onDrop: () => {} }
      )
      const provided = (values: object) =>
        Layer.provide(layer, ConfigProvider.layer(ConfigProvider.fromUnknown(values)))
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        yield* jobs.send("a")
        assert.isFalse(yield* jobs.send("b"))
        const metrics = (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["name"] === "jobs")
        assert.deepInclude(metrics.find(({ id }) => id === "fiberscope_mailbox_size")?.state, { value: 1 })
        assert.deepInclude(metrics.find(({ id }) => id === "fiberscope_mailbox_dropped_total")?.state, { count: 1 })
      }).pipe(Effect.provide(provided({ CAPACITY: 1 })))
      assert.lengthOf((yield* Metric.snapshot).filter(({ attributes }) => attributes?.["name"] === "jobs"), 0)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(Layer.build(provided({}))))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.scoped(Mailbox.make({ capacity: 0 })))))
    }))

  describe("for random programs, interrupted at every point", () => {
    const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
    const Handler = Schema.Literals(["sync", "sleep", "use", "fail", "die", "interrupt", "slow"])
    const Step = Schema.Struct({
      op: Schema.Literals([
        "send",
        "send",
        "sendUnsafe",
        "receive",
        "receive",
        "forkSend",
        "forkReceive",
        "run",
        "runMany",
        "sleep",
        "close",
        "closeNow",
        "awaitDrained"
      ]),
      handler: Handler,
      ms: small(0, 4)
    })
    const Script = Schema.Struct({
      capacity: small(1, 2),
      overflow: Schema.Literals(["suspend", "dropNewest", "dropOldest", "fail", "conflate", "waitUpTo"]),
      maxDeliveries: small(1, 3),
      steps: Schema.Array(Step).check(Schema.isMaxLength(6))
    })

    /** The result of each item, as seen by its sender, its handler and onDrop. */
    class Books {
      readonly accepted = new Set<number>()
      readonly handled = new Set<number>()
      readonly dropped: Array<number> = []
      counts: Mailbox.MailboxCounts | undefined

      problems(): ReadonlyArray<string> {
        if (this.counts === undefined) return []
        const { delivered, dropped, offered, owned, size } = this.counts
        return [
          ...offered === delivered + dropped && owned === 0 && size === 0
            ? []
            : [`counts: ${JSON.stringify(this.counts)}`],
          ...dropped === this.dropped.length && new Set(this.dropped).size === dropped
            ? []
            : [`dropped ${this.dropped}`],
          ...[...this.accepted]
            .filter((item) => !this.handled.has(item) && !this.dropped.includes(item))
            .map((item) => `item ${item} was accepted and is gone`)
        ]
      }
    }

    const interpret = (
      script: typeof Script.Type,
      ledger: Ledger,
      books: Books
    ): Effect.Effect<void, unknown, Scope.Scope> =>
      Effect.gen(function*() {
        let sent = 0
        const conflate = (_: number, offered: number) => offered
        const mailbox = yield* Mailbox.make<number>({
          name: "lab",
          capacity: script.capacity,
          maxDeliveries: script.maxDeliveries,
          overflow: script.overflow === "conflate"
            ? { conflate }
            : script.overflow === "waitUpTo"
            ? { waitUpTo: 2 }
            : script.overflow,
          onDrop: (item) => books.dropped.push(item)
        })
        const read = () => Effect.runSync(mailbox.counts)
        Object.defineProperty(books, "counts", { get: read })
        ledger.always("offered = delivered + dropped + owned + size", () => {
          const { delivered, dropped, offered, owned, size } = read()
          return offered === delivered + dropped + owned + size
        })
        ledger.always("size <= capacity + what came back", () => {
          const { redelivered, size } = read()
          return size <= script.capacity + redelivered
        })
        const handle = (step: typeof Step.Type) => (item: number): Effect.Effect<void, unknown> => {
          const done = Effect.sync(() => void books.handled.add(item))
          switch (step.handler) {
            case "sync":
              return done
            case "sleep":
              return Effect.andThen(Effect.sleep(step.ms), done)
            case "slow":
              return Effect.andThen(Effect.uninterruptible(Effect.sleep(step.ms)), done)
            case "use":
              return Effect.andThen(
                Effect.acquireUseRelease(
                  ledger.open("lease"),
                  () => Effect.sleep(step.ms),
                  (lease) => ledger.close(lease)
                ),
                done
              )
            case "fail":
              return Effect.fail(item)
            case "die":
              return Effect.die(new InjectedFailure({ kind: "dyingRelease", name: "handler" }))
            case "interrupt":
              return Effect.interrupt
          }
        }
        for (const step of script.steps) {
          const item = sent++
          const accepted = (yes: boolean) => Effect.sync(() => void (yes && books.accepted.add(item)))
          const send = Effect.exit(Effect.timeout(Effect.flatMap(mailbox.send(item), accepted), "1 second"))
          const receive = Effect.exit(Effect.timeout(mailbox.receive(handle(step)), "1 second"))
          switch (step.op) {
            case "send":
              yield* send
              break
            case "sendUnsafe":
              yield* accepted(mailbox.sendUnsafe(item))
              break
            case "forkSend":
              yield* Effect.forkChild(send)
              break
            case "receive":
              yield* receive
              break
            case "forkReceive":
              yield* Effect.forkChild(receive)
              break
            case "run":
              yield* Effect.exit(Effect.timeout(mailbox.run(handle(step)), step.ms))
              break
            case "runMany":
              yield* Effect.forkChild(Effect.exit(mailbox.run(handle(step), { concurrency: 2 })))
              break
            case "sleep":
              yield* Effect.sleep(step.ms)
              break
            case "close":
              yield* mailbox.close
              break
            case "closeNow":
              yield* mailbox.closeNow
              break
            case "awaitDrained":
              yield* Effect.timeoutOption(mailbox.awaitDrained, step.ms)
              break
          }
        }
      })

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `accounts for its items at every operation (${order} order)`,
        { script: Script },
        ({ script }) =>
          Effect.suspend(() => {
            let books = new Books()
            return InterruptLab.verify((ledger) => {
              books = new Books()
              return Effect.scoped(interpret(script, ledger, books))
            }, { order, seed: script.steps.length, budget: { runs: 100 }, invariant: () => books.problems() })
          }),
        { arbitrary: { runs: 30 * effort }, timeout: 60_000 }
      )
    }

    it.effect("does so with failing, dying and slow parts, in random orders", () =>
      Effect.suspend(() => {
        const script: typeof Script.Type = {
          capacity: 1,
          overflow: "suspend",
          maxDeliveries: 2,
          steps: [
            { op: "runMany", handler: "use", ms: 2 },
            { op: "send", handler: "sync", ms: 0 },
            { op: "forkSend", handler: "sync", ms: 0 },
            { op: "send", handler: "sync", ms: 0 },
            { op: "receive", handler: "use", ms: 1 },
            { op: "sleep", handler: "sync", ms: 3 }
          ]
        }
        let books = new Books()
        return InterruptLab.verify((ledger) => {
          books = new Books()
          return Effect.scoped(interpret(script, ledger, books))
        }, {
          order: "random",
          orders: 3,
          inject: ["failingAcquire", "dyingRelease", "slowRelease"],
          budget: { runs: 600 * effort },
          invariant: () => books.problems()
        })
      }), 60_000)
  })
})
