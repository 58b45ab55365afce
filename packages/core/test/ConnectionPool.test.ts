import { assert, describe, it } from "@effect/vitest"
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
  Pool,
  Schema,
  Scope
} from "effect"
import { TestClock } from "effect/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import type { LeaseError } from "../src/ConnectionPool.ts"
import * as ConnectionPool from "../src/ConnectionPool.ts"
import * as Deadline from "../src/Deadline.ts"
import type { Lease, Ledger } from "../src/testing/index.ts"
import { InterruptLab, Laws, Script } from "../src/testing/index.ts"
import { heard, metric } from "./support/heard.ts"

interface Connection {
  readonly id: number
  /** What a validation finds. */
  alive: boolean
}

/** A server that counts its connections. */
const server = (options: {
  readonly opens?: Effect.Effect<unknown, unknown>
  readonly closes?: Effect.Effect<unknown>
} = {}) => {
  const open = new Set<Connection>()
  const seen = { opened: 0, most: 0, validated: [] as Array<number> }
  const connect: Effect.Effect<Connection, unknown, Scope.Scope> = Effect.acquireRelease(
    Effect.map(options.opens ?? Effect.void, () => {
      const connection = { id: ++seen.opened, alive: true }
      open.add(connection)
      seen.most = Math.max(seen.most, open.size)
      return connection
    }),
    (connection) => Effect.andThen(options.closes ?? Effect.void, Effect.sync(() => void open.delete(connection))),
    { interruptible: true }
  )
  const validate = ({ alive, id }: Connection) =>
    Effect.suspend(() => {
      seen.validated.push(id)
      return alive ? Effect.void : Effect.fail("gone")
    })
  return { connect, open, seen, validate }
}

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const id = ({ id }: Connection) => Effect.succeed(id)

const stubborn = (duration: Duration.Input) => Effect.uninterruptible(Effect.sleep(duration))

const handler = Effect.fn("handler")(function*(
  pool: ConnectionPool.ConnectionPool<Connection, unknown>,
  duration: Duration.Input
) {
  return yield* pool.use((connection) => Effect.delay(id(connection), duration))
})

describe("ConnectionPool", () => {
  it.effect("opens connections as they are needed, at most max, and lends the one that was used last", () =>
    Effect.gen(function*() {
      const { connect, open, seen } = server()
      const pool = yield* ConnectionPool.make({ acquire: connect, max: 3 })
      assert.strictEqual(open.size, 0)
      assert.strictEqual(yield* pool.use(id), 1)
      assert.strictEqual(yield* pool.use(id), 1)
      const users = yield* start(
        Effect.forEach([1, 2, 3, 4, 5], () => handler(pool, "1 second"), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(open.size, 3)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(users), [1, 2, 3, 1, 2])
      assert.deepStrictEqual([seen.opened, seen.most], [3, 3])
    }).pipe(Effect.scoped))

  it.effect("lends until the scope closes, or while an effect runs, however that ends", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ acquire: server().connect, max: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual((yield* pool.lease()).id, 1)
        assert.strictEqual((yield* pool.health).leased, 1)
      }))
      assert.strictEqual(yield* Effect.flip(pool.use(() => Effect.fail("no"))), "no")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(pool.use((): Effect.Effect<void> => assert.fail("thrown")))))
      const fiber = yield* start(pool.use(() => Effect.never))
      yield* Fiber.interrupt(fiber)
      const { idle, leased, open } = yield* pool.health
      assert.deepStrictEqual({ idle, leased, open }, { idle: 1, leased: 0, open: 1 })
      assert.strictEqual(yield* metric("pool_leases_total"), 4)
    }).pipe(Effect.scoped))

  it.effect("gives no connection to whoever still runs in a scope that is closed", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ acquire: server().connect })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      for (let n = 0; n < 2; n++) {
        const exit = yield* Effect.exit(Scope.provide(pool.lease(), scope))
        assert.isTrue(Exit.hasInterrupts(exit))
        assert.strictEqual((yield* pool.health).leased, 0)
      }
    }).pipe(Effect.scoped))

  it.effect("serves those who wait in their order", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ acquire: server().connect, max: 1 })
      const order: Array<number> = []
      const users = [1, 2, 3, 4].map((n) => pool.use(() => Effect.delay(Effect.sync(() => order.push(n)), "1 second")))
      const fibers = yield* Effect.forEach(users, start)
      yield* Effect.yieldNow
      fibers[1]!.interruptUnsafe()
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(order, [1, 3, 4])
    }).pipe(Effect.scoped))

  it.effect("opens in the async context of the pool, not in that of the request that happens to need it", () =>
    Effect.gen(function*() {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      const connect = Effect.sync(() => void seen.push(storage.getStore()))
      const pool = yield* ConnectionPool.make({ acquire: connect })
      const context = yield* Effect.context()
      storage.run("a request", () => Effect.runForkWith(context)(pool.use(() => Effect.void)))
      yield* Effect.yieldNow
      assert.deepStrictEqual(seen, [undefined])
    }).pipe(Effect.scoped))

  it.effect("refuses numbers that make no sense", () =>
    Effect.gen(function*() {
      for (const numbers of [{ max: 0 }, { min: -1 }, { min: 3, max: 2 }, { max: Number.NaN }]) {
        const exit = yield* Effect.exit(ConnectionPool.make({ acquire: Effect.void, ...numbers }))
        assert.isTrue(Exit.hasDies(exit))
      }
    }).pipe(Effect.scoped))

  it.effect("is a service with a layer, and reads its numbers from the configuration", () =>
    Effect.gen(function*() {
      class Database extends ConnectionPool.Service<Database, Connection, unknown>()("test/Database") {}
      class Url extends Context.Service<Url, string>()("test/Url") {}
      const connect = Effect.flatMap(Url, (url) => Effect.succeed({ id: url.length, alive: true }))
      const used = Effect.flatMap(Database, (database) => Effect.all([database.use(id), database.health]))
      const url = Layer.succeed(Url, "url")
      const [three, { max }] = yield* Effect.provide(used, Layer.provide(Database.layer({ acquire: connect }), url))
      assert.deepStrictEqual([three, max], [3, 10])
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ MAX: "7" }))
      const layer = Database.layerConfig({ max: Config.Int("MAX") }, { acquire: connect })
      const [, health] = yield* Effect.provide(used, Layer.provide(layer, [url, config]))
      assert.strictEqual(health.max, 7)
    }))

  describe("when there is none to be had", () => {
    it.effect("fails in time and names the holders, where a plain pool waits for ever", () =>
      Effect.gen(function*() {
        const plain = yield* Pool.make({ acquire: server().connect, size: 2 })
        const ours = yield* ConnectionPool.make({ name: "db", acquire: server().connect, max: 2 })
        for (let n = 0; n < 2; n++) yield* Pool.get(plain)
        yield* start(Effect.replicateEffect(handler(ours, "1 hour"), 2, { concurrency: 2 }))
        yield* TestClock.adjust("5 seconds")
        const waiting = yield* start(Effect.scoped(Pool.get(plain)))
        const failing = yield* start(Effect.flip(ours.use(id)))
        yield* TestClock.adjust("29999 millis")
        assert.isUndefined(failing.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(failing)
        assert.instanceOf(error, ConnectionPool.AcquireTimeout)
        assert.deepStrictEqual(error.holders.map(({ label, overdue }) => [label, overdue]), [
          ["handler", true],
          ["handler", true]
        ])
        assert.match(
          error.message,
          /^No connection of pool "db" for 30s: 2 of 2 are held, by handler \(.*ConnectionPool\.test\.ts:\d+\) × 2 for up to 35s$/
        )
        assert.strictEqual(yield* metric("pool_timeouts_total", "db"), 1)
        yield* TestClock.adjust("1 day")
        assert.isUndefined(waiting.pollUnsafe())
        yield* Fiber.interrupt(waiting)
      }).pipe(Effect.scoped))

    it.effect("waits as long as a lease says, and leaves nothing of those who gave up", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: server().connect, max: 1 })
        yield* pool.lease({ label: "the only one" })
        const slow = yield* start(Effect.flip(pool.use(id)))
        const quick = yield* start(Effect.flip(pool.use(id, { acquireTimeout: "1 second" })))
        yield* TestClock.adjust("1 second")
        assert.match(
          String((yield* Fiber.join(quick) as Effect.Effect<LeaseError>).message),
          /^No connection .* for 1s: .*"the only one" in /
        )
        assert.strictEqual((yield* pool.health).waiting, 1)
        yield* TestClock.adjust("29 seconds")
        yield* Fiber.join(slow)
        assert.strictEqual((yield* pool.health).waiting, 0)
      }).pipe(Effect.scoped, Effect.withSpan("test")))

    it.effect("says when connections are still being opened", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: server({ opens: stubborn("1 hour") }).connect, max: 1 })
        const failing = yield* start(Effect.flip(pool.use(id)))
        yield* TestClock.adjust("30 seconds")
        assert.match(
          String((yield* Fiber.join(failing) as Effect.Effect<LeaseError>).message),
          /0 of 1 are held; 1 are being opened: is the server there\?$/
        )
        yield* TestClock.adjust("1 hour")
      }).pipe(Effect.scoped))

    it.effect("refuses at once when too many wait already", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({
          acquire: server({ opens: Effect.sleep("1 second") }).connect,
          max: 2,
          maxWaiters: 1
        })
        yield* start(Effect.replicateEffect(handler(pool, "1 hour"), 3, { concurrency: 3 }))
        const early = yield* Effect.flip(pool.use(id))
        yield* TestClock.adjust("2 seconds")
        const late = yield* Effect.flip(pool.use(id))
        assert.instanceOf(early, ConnectionPool.PoolSaturated)
        assert.instanceOf(late, ConnectionPool.PoolSaturated)
        assert.match(late.message, /^1 wait already .*, and no more may \(maxWaiters\): 2 of 2 are held, by handler/)
        assert.strictEqual(yield* metric("pool_rejected_total"), 2)
      }).pipe(Effect.scoped))
  })

  describe("when a connection cannot be opened", () => {
    it.effect("gives the failure to the first who waits, and tries again for the next", () =>
      Effect.gen(function*() {
        let attempts = 0
        const opens = Effect.suspend(() => ++attempts < 3 ? Effect.fail(`refused ${attempts}`) : Effect.void)
        const pool = yield* ConnectionPool.make({ acquire: server({ opens }).connect, max: 1 })
        const users = yield* Effect.forEach([1, 2, 3], () => start(Effect.exit(pool.use(id))))
        const exits = yield* Effect.forEach(users, Fiber.join)
        assert.deepStrictEqual(exits, [Exit.fail("refused 1"), Exit.fail("refused 2"), Exit.succeed(1)])
        assert.strictEqual(yield* metric("pool_failed_total"), 2)
        assert.deepStrictEqual((yield* pool.health).lastFailure?.cause, Cause.fail("refused 2"))
      }).pipe(Effect.scoped))

    it.effect("does so at once for as many as may wait", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: Effect.fail("refused"), max: 10, maxWaiters: 2000 })
        const users = yield* Effect.forEach(Array.from({ length: 2000 }), () =>
          start(Effect.flip(pool.use(() => Effect.void))))
        assert.deepStrictEqual(new Set(yield* Effect.forEach(users, Fiber.join)), new Set(["refused"]))
      }).pipe(Effect.scoped))

    it.effect("closes what a failed opening has opened", () =>
      Effect.gen(function*() {
        const { connect, open } = server()
        const pool = yield* ConnectionPool.make({ acquire: Effect.andThen(connect, Effect.die("handshake")) })
        assert.isTrue(Exit.hasDies(yield* Effect.exit(pool.use(() => Effect.void))))
        assert.strictEqual(open.size, 0)
        assert.strictEqual((yield* pool.health).open, 0)
      }).pipe(Effect.scoped))

    it.effect("interrupts an opening that takes too long, and opens another for the next", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          let attempts = 0
          const opens = Effect.suspend(() => ++attempts === 1 ? Effect.never : Effect.void)
          const pool = yield* ConnectionPool.make({ acquire: server({ opens }).connect, max: 1 })
          const first = yield* start(Effect.flip(pool.use(id)))
          yield* TestClock.adjust("29 seconds")
          const second = yield* start(pool.use(id))
          yield* TestClock.adjust("1 second")
          assert.instanceOf(yield* Fiber.join(first), ConnectionPool.AcquireTimeout)
          assert.strictEqual(yield* Fiber.join(second), 1)
          assert.deepStrictEqual(lines, [
            "Opening a connection of pool \"default\" did not end within 30s and was interrupted"
          ])
        }).pipe(Effect.scoped)
      ))

    it.effect("does not wait for one that does not heed that, but leaves it its place", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          let attempts = 0
          const { connect, open } = server()
          const opens = Effect.suspend(() =>
            Effect.andThen(++attempts === 1 ? stubborn("1 minute") : Effect.void, connect)
          )
          const pool = yield* ConnectionPool.make({ acquire: Effect.uninterruptible(opens), max: 2 })
          yield* start(Effect.exit(pool.use(id)))
          yield* TestClock.adjust("40 seconds")
          assert.match(lines[0]!, /did not end within 30s, does not heed its interruption and keeps its place$/)
          yield* pool.lease()
          assert.deepInclude(yield* pool.health, { open: 2, opening: 1, leased: 1 })
          const waiting = yield* start(pool.use(id))
          yield* TestClock.adjust("20 seconds")
          // What it has opened in the end was closed at once: nobody had waited for that.
          assert.strictEqual(yield* Fiber.join(waiting), 3)
          assert.strictEqual(open.size, 2)
        }).pipe(Effect.scoped)
      ))
  })

  describe("validation", () => {
    const idle = "500 millis"

    it.effect("is done after a connection was idle, and not before", () =>
      Effect.gen(function*() {
        const { connect, seen, validate } = server()
        const pool = yield* ConnectionPool.make({ acquire: connect, validate })
        yield* pool.use(id)
        yield* TestClock.adjust("499 millis")
        yield* pool.use(id)
        assert.deepStrictEqual(seen.validated, [])
        yield* TestClock.adjust(idle)
        assert.strictEqual(yield* pool.use(id), 1)
        assert.deepStrictEqual(seen.validated, [1])
      }).pipe(Effect.scoped))

    it.effect("never lends what has failed it, and validates all others then", () =>
      Effect.gen(function*() {
        const { connect, open, seen, validate } = server()
        const pool = yield* ConnectionPool.make({ acquire: connect, validate, max: 3 })
        yield* Effect.scoped(Effect.replicateEffect(pool.lease(), 3))
        yield* TestClock.adjust(idle)
        // The server was started again: all three are dead, and one of them was used a moment ago.
        assert.strictEqual(yield* pool.use(id), 1)
        for (const connection of open) connection.alive = false
        seen.validated.length = 0
        yield* Effect.scoped(Effect.gen(function*() {
          const first = yield* pool.lease()
          assert.strictEqual(first.id, 1)
          assert.strictEqual(yield* pool.use(id), 4)
        }))
        assert.deepStrictEqual(seen.validated, [2, 3])
        // What came back while all were suspect is validated as well, and has made the last one suspect again.
        assert.strictEqual(yield* pool.use(id), 4)
        assert.deepStrictEqual(seen.validated, [2, 3, 1, 4])
        assert.strictEqual(yield* metric("pool_invalid_total"), 3)
      }).pipe(Effect.scoped))

    it.effect("is done before each lease when it is wanted", () =>
      Effect.gen(function*() {
        const { connect, seen, validate } = server()
        const pool = yield* ConnectionPool.make({ acquire: connect, validate, validateAfterIdle: 0, max: 1 })
        const users = yield* start(Effect.replicateEffect(pool.use(() => Effect.sleep(1)), 3, { concurrency: 3 }))
        yield* TestClock.adjust("3 millis")
        yield* Fiber.join(users)
        assert.deepStrictEqual(seen.validated, [1, 1])
      }).pipe(Effect.scoped))

    for (
      const [name, hang] of [["waits for ever", Effect.never], ["cannot be interrupted", stubborn("1 hour")]] as const
    ) {
      it.effect(`has failed after its time, also when it ${name}`, () =>
        Effect.gen(function*() {
          const { connect, open } = server()
          const pool = yield* ConnectionPool.make({ acquire: connect, validate: () => hang, max: 1 })
          yield* pool.use(id)
          yield* TestClock.adjust(idle)
          const fiber = yield* start(pool.use(id))
          yield* TestClock.adjust("4999 millis")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(yield* Fiber.join(fiber), 2)
          assert.deepStrictEqual([...open].map(({ id }) => id), [2])
          const { lastFailure } = yield* pool.health
          assert.match(Cause.pretty(lastFailure!.cause), /The validation did not end within 5s/)
          yield* TestClock.adjust("1 hour")
        }).pipe(Effect.scoped))
    }

    it.effect("costs a borrower no more than the time it gave", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: server().connect, validate: () => Effect.never, max: 1 })
        yield* pool.use(id)
        yield* TestClock.adjust(idle)
        const fiber = yield* start(Effect.flip(pool.use(id, { acquireTimeout: "1 second" })))
        yield* TestClock.adjust("1 second")
        assert.instanceOf(yield* Fiber.join(fiber), ConnectionPool.AcquireTimeout)
        assert.deepInclude(yield* pool.health, { validating: 1, waiting: 0 })
        yield* TestClock.adjust("1 minute")
      }).pipe(Effect.scoped))
  })

  describe("a connection is not lent again", () => {
    it.effect("when its use has ended fatally; all others are validated then", () =>
      heard(({ reports }) =>
        Effect.gen(function*() {
          const { connect, open, seen, validate } = server()
          const pool = yield* ConnectionPool.make({
            acquire: connect,
            validate,
            max: 2,
            isFatal: (cause, connection) => {
              if (connection.id === 3) throw new Error("isFatal is broken")
              return Cause.squash(cause) === "cut"
            }
          })
          yield* Effect.scoped(Effect.replicateEffect(pool.lease(), 2))
          yield* Effect.flip(pool.use(() => Effect.fail("a typing error")))
          assert.strictEqual(open.size, 2)
          yield* Effect.flip(pool.use(() => Effect.fail("cut")))
          assert.deepStrictEqual([...open].map(({ id }) => id), [2])
          assert.strictEqual(yield* pool.use(id), 2)
          assert.deepStrictEqual(seen.validated, [2])
          yield* pool.retire([...open][0]!)
          yield* Effect.flip(pool.use(() => Effect.fail("a typing error")))
          assert.deepStrictEqual(reports, ["isFatal is broken"])
          assert.strictEqual(yield* pool.use(id), 4)
        }).pipe(Effect.scoped)
      ))

    it.effect("when it was retired: at once, or when it comes back", () =>
      Effect.gen(function*() {
        const { connect, open } = server()
        const pool = yield* ConnectionPool.make({ acquire: connect, max: 2 })
        const [first] = yield* Effect.scoped(Effect.all([pool.lease(), pool.lease()]))
        yield* pool.retire(first!)
        assert.deepStrictEqual([...open].map(({ id }) => id), [2])
        yield* pool.use((second) =>
          Effect.andThen(pool.retire(second), Effect.sync(() => assert.strictEqual(open.size, 1)))
        )
        assert.strictEqual(open.size, 0)
        yield* pool.retire(first!)
      }).pipe(Effect.scoped))

    it.effect("when it is too old, and not before it comes back; connections do not grow old together", () =>
      Effect.gen(function*() {
        const { connect, open, seen } = server()
        const pool = yield* ConnectionPool.make({
          acquire: connect,
          max: 20,
          min: 20,
          maxLifetime: "1000 seconds",
          jitter: 0.1,
          leakThreshold: "1 day"
        })
        yield* Effect.yieldNow
        assert.strictEqual(open.size, 20)
        yield* TestClock.adjust("900 seconds")
        assert.strictEqual(seen.opened, 20)
        const held = yield* start(Effect.scoped(Effect.andThen(pool.lease(), Effect.sleep("1 hour"))))
        let replaced = 0
        for (let n = 0; n < 10; n++) {
          yield* TestClock.adjust("10 seconds")
          assert.isAtMost(seen.opened - 20 - replaced, 10)
          replaced = seen.opened - 20
        }
        assert.strictEqual(replaced, 19)
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(held)
        assert.strictEqual(open.size, 20)
        assert.isFalse([...open].some(({ id }) => id <= 20))
      }).pipe(Effect.scoped))

    it.effect("when it was idle for too long, but for those that are kept", () =>
      Effect.gen(function*() {
        const { connect, open } = server()
        const pool = yield* ConnectionPool.make({ acquire: connect, max: 5, min: 2, idleTimeout: "1 minute" })
        yield* Effect.scoped(Effect.replicateEffect(pool.lease(), 5))
        yield* TestClock.adjust("30 seconds")
        yield* pool.use(id)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(open.size, 2)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(open.size, 2)
      }).pipe(Effect.scoped))
  })

  it.effect("keeps min connections open, and tries again after a second when it cannot", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        let attempts = 0
        const opens = Effect.suspend(() => ++attempts < 3 ? Effect.fail("refused") : Effect.void)
        const { connect, open } = server({ opens })
        const pool = yield* ConnectionPool.make({ acquire: connect, min: 2, max: 4 })
        assert.strictEqual(attempts, 1)
        yield* TestClock.adjust("999 millis")
        assert.strictEqual(attempts, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(attempts, 2)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(open.size, 2)
        assert.lengthOf(lines, 2)
        assert.match(lines[0]!, /^"opening a connection of pool default" failed Error: refused/)
        yield* pool.retire([...open][0]!)
        assert.strictEqual(open.size, 2)
      }).pipe(Effect.scoped)
    ))

  it.effect("never has more than max open, where a plain pool replaces what is still open", () =>
    Effect.gen(function*() {
      const closes = Effect.sleep("1 second")
      const [a, b] = [server({ closes }), server({ closes })]
      const plain = yield* Pool.makeWithTTL({ acquire: a.connect, min: 0, max: 2, timeToLive: "1 hour" })
      const ours = yield* ConnectionPool.make({ acquire: b.connect, max: 2, isFatal: () => true })
      const plainUse = Effect.scoped(Effect.gen(function*() {
        const connection = yield* Pool.get(plain)
        yield* Effect.sleep(10)
        yield* Pool.invalidate(plain, connection)
        yield* Effect.sleep(10)
      }))
      const ourUse = Effect.ignore(ours.use(() => Effect.andThen(Effect.sleep(20), Effect.fail("cut"))))
      yield* start(Effect.replicateEffect(plainUse, 6, { concurrency: 6 }))
      yield* start(Effect.replicateEffect(ourUse, 6, { concurrency: 6 }))
      yield* TestClock.adjust("10 seconds")
      assert.isAbove(a.seen.most, 2)
      assert.deepStrictEqual([b.seen.opened, b.seen.most], [6, 2])
      yield* Effect.forkDetach(TestClock.adjust("1 minute"))
    }).pipe(Effect.scoped))

  describe("holders", () => {
    it.effect("names who holds what, since when, and for too long", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1_000_000)
        const pool = yield* ConnectionPool.make({ acquire: server().connect })
        const report = yield* start(Effect.withSpan(pool.use(() => Effect.never, { label: "report 17" }), "job"))
        yield* TestClock.adjust("20 seconds")
        const other = yield* start(handler(pool, "1 hour"))
        yield* TestClock.adjust("10 seconds")
        const holders = yield* pool.holders
        assert.deepStrictEqual(
          holders.map((
            { fiber, held, label, overdue, since, site }
          ) => [label, fiber, site.fork?.name, since, held, overdue]),
          [
            ["report 17", report.id, "job", 1_000_000, holders[0]!.held, true],
            ["handler", other.id, "handler", 1_020_000, holders[1]!.held, false]
          ]
        )
        assert.strictEqual((yield* pool.health).overdue, 1)
        assert.strictEqual(yield* metric("pool_overdue"), 1)
        yield* Fiber.interruptAll([report, other])
        assert.deepStrictEqual(yield* pool.holders, [])
      }).pipe(Effect.scoped))

    it.effect("reports a lease that may be forgotten, once, and once that it came back", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const pool = yield* ConnectionPool.make({ name: "db", acquire: server().connect })
          const scope = yield* Scope.make()
          const forget = Effect.fn("forget")(() => Scope.provide(pool.lease({ label: "export" }), scope))
          yield* forget()
          yield* TestClock.adjust("29999 millis")
          assert.lengthOf(lines, 0)
          yield* TestClock.adjust("2 minutes")
          yield* pool.use(id)
          assert.lengthOf(lines, 1)
          assert.match(
            lines[0]!,
            /^A connection of pool "db" has been held for 30s by "export" in forget \(.*\), and may be forgotten\. 1 of 10 are held$/
          )
          assert.strictEqual(yield* metric("pool_leaks_total", "db"), 1)
          yield* Scope.close(scope, Exit.void)
          assert.lengthOf(lines, 2)
          assert.match(
            lines[1]!,
            /^The connection of pool "db" that "export" in forget \(.*\) held has come back after 2m 29s 999ms$/
          )
          // The connection is a new lease now, which has its own time.
          yield* pool.use(() => Effect.void)
          yield* TestClock.adjust("1 hour")
          assert.lengthOf(lines, 2)
        }).pipe(Effect.scoped)
      ))
  })

  describe("drain", () => {
    it.effect("refuses new leases, fails those who wait, and waits for what is held", () =>
      Effect.gen(function*() {
        const { connect, open } = server()
        const pool = yield* ConnectionPool.make({ name: "db", acquire: connect, max: 2 })
        const held = yield* start(
          Effect.all([handler(pool, "1 second"), handler(pool, "3 seconds")], { concurrency: 2 })
        )
        const waiting = yield* start(Effect.flip(pool.use(id)))
        yield* TestClock.adjust("500 millis")
        const draining = yield* start(pool.drain())
        assert.instanceOf(yield* Fiber.join(waiting), ConnectionPool.PoolClosed)
        const late = yield* Effect.flip(pool.use(id))
        assert.strictEqual(
          (late as LeaseError).message,
          "Pool \"db\" is closed. Stop what uses it before it is drained"
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(open.size, 1)
        yield* TestClock.adjust("1500 millis")
        assert.deepStrictEqual(yield* Fiber.join(held), [1, 2])
        const report = yield* Fiber.join(draining)
        assert.deepInclude(report, { held: [], stuck: 0 })
        assert.strictEqual(open.size, 0)
      }).pipe(Effect.scoped))

    it.effect("closes what is held when four fifths of the grace are over, and names the holders", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const { connect, open } = server()
          const pool = yield* ConnectionPool.make({ name: "db", acquire: connect })
          const holder = yield* start(handler(pool, "20 seconds"))
          yield* TestClock.adjust("1 second")
          const draining = yield* start(pool.drain())
          yield* TestClock.adjust("7999 millis")
          assert.strictEqual(open.size, 1)
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(open.size, 0)
          const { held } = yield* Fiber.join(draining)
          assert.deepStrictEqual(held.map(({ fiber, label }) => [label, fiber]), [["handler", holder.id]])
          assert.match(
            lines[0]!,
            /^Pool "db" closes connections that are in use: 1 of 10 are held, by handler .* × 1 for 9s$/
          )
          assert.deepStrictEqual(yield* pool.holders, [])
          yield* TestClock.adjust("20 seconds")
          assert.strictEqual(yield* Fiber.join(holder), 1)
          assert.match(lines[1]!, /that handler .* held has come back after 20s$/)
          assert.lengthOf(lines, 2)
        }).pipe(Effect.scoped)
      ))

    it.effect("ends by its grace, whatever hangs, where the end of a plain pool waits for ever", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const plain = yield* Effect.forkDetach(
            Effect.scoped(Effect.flatMap(Pool.make({ acquire: server().connect, size: 1 }), (pool) =>
              Effect.andThen(
                Effect.forkDetach(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never)), {
                  startImmediately: true
                }),
                Effect.sleep("1 second")
              )))
          )
          let opened = 0
          const { connect } = server({
            opens: Effect.suspend(() => ++opened === 4 ? stubborn("1 day") : Effect.void),
            closes: stubborn("1 day")
          })
          const pool = yield* ConnectionPool.make({ acquire: connect, validate: () => stubborn("1 day"), max: 4 })
          yield* Effect.scoped(Effect.replicateEffect(pool.lease(), 3))
          yield* TestClock.adjust("1 second")
          yield* start(Effect.scoped(Effect.andThen(pool.use(id), Effect.never)))
          yield* start(Effect.exit(pool.use(id)))
          yield* start(Effect.exit(pool.use(id)))
          yield* start(Effect.exit(pool.use(id)))
          assert.deepInclude(yield* pool.health, { validating: 3, opening: 1, open: 4 })
          const draining = yield* start(pool.drain("3 seconds"))
          yield* TestClock.adjust("2999 millis")
          assert.isUndefined(draining.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          const { elapsed, stuck } = yield* Fiber.join(draining)
          assert.deepStrictEqual([Duration.toMillis(elapsed), stuck], [3000, 4])
          assert.lengthOf(lines, 4)
          yield* TestClock.adjust("2 days")
          assert.isUndefined(plain.pollUnsafe())
        }).pipe(Effect.scoped)
      ))

    it.effect("is the end of the pool's scope, and takes no longer than the deadline around", () =>
      Effect.gen(function*() {
        const use = Effect.scoped(Effect.gen(function*() {
          const pool = yield* ConnectionPool.make({ acquire: server().connect, closeGrace: "5 seconds" })
          yield* Effect.forkDetach(handler(pool, "1 hour"), { startImmediately: true })
          const quick = yield* Effect.exit(Deadline.within(pool.drain("1 hour"), "2 seconds"))
          return [quick, yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)] as const
        }))
        const fiber = yield* start(use)
        yield* TestClock.adjust("1599 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const [quick] = yield* Fiber.join(fiber)
        assert.isTrue(Exit.isSuccess(quick) && quick.value.held.length === 1)
        yield* TestClock.adjust("1 hour")
      }))

    it.effect("leaves behind a closing that does not end, and gives its place to another", () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const { connect, seen } = server({ closes: stubborn("1 minute") })
          const pool = yield* ConnectionPool.make({ acquire: connect, max: 1, isFatal: () => true })
          yield* Effect.flip(pool.use(() => Effect.fail("cut")))
          const next = yield* start(pool.use(id))
          yield* TestClock.adjust("9999 millis")
          assert.deepStrictEqual([seen.opened, next.pollUnsafe()], [1, undefined])
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(yield* Fiber.join(next), 2)
          assert.deepStrictEqual(lines, [
            "Closing a connection of pool \"default\" did not end within 10s and is left behind"
          ])
          assert.strictEqual(yield* metric("pool_abandoned_total"), 1)
          yield* start(TestClock.adjust("2 minutes"))
        }).pipe(Effect.scoped)
      ))

    it.effect("reports a closing that fails", () =>
      heard(({ reports }) =>
        Effect.gen(function*() {
          const pool = yield* ConnectionPool.make({ acquire: server({ closes: Effect.die("cannot close") }).connect })
          yield* pool.use(id)
          const { stuck } = yield* pool.drain()
          assert.strictEqual(stuck, 0)
          assert.deepStrictEqual(reports, ["cannot close"])
        }).pipe(Effect.scoped)
      ))
  })

  describe("keeps the laws of a pool", () => {
    const laws = Laws.pool(({ acquire, size }) => ConnectionPool.make({ acquire, max: size }))
    for (const { check, name } of laws) it.effect(name, () => check)
    const validating = Laws.pool(({ acquire, size }) =>
      ConnectionPool.make({ acquire, max: size, validateAfterIdle: 0, validate: () => Effect.sleep(1) })
    )
    for (const { check, name } of validating) it.effect(`${name} (with validation)`, () => check)
  })

  describe("for random programs, interrupted at every point", () => {
    const max = 2

    /** A pool over the ledger, watched: who it says holds connections, how many there are, and who shares one. */
    const program = (ledger: Ledger, script: Script.Script, flaky: boolean) =>
      Effect.gen(function*() {
        const inUse = new Map<Lease, number>()
        let shared = false
        let broken = 0
        let lentBroken = false
        const pool = yield* ConnectionPool.make({
          acquire: ledger.resource("connection", { opens: 2, closes: 2 }),
          max,
          min: 1,
          acquireTimeout: 8,
          maxWaiters: 3,
          leakThreshold: 5,
          validateAfterIdle: 2,
          validateTimeout: 3,
          maxLifetime: 30,
          idleTimeout: 15,
          closeGrace: 60_000,
          validate: (lease) =>
            Effect.andThen(
              Effect.sleep(flaky ? 1 : 0),
              Effect.suspend(() => flaky && ++broken % 3 === 0 ? Effect.fail(dead.add(lease)) : Effect.void)
            ),
          isFatal: (cause) => Cause.hasFails(cause)
        })
        const dead = new Set<Lease>()
        ledger.always("open connections: at most max", () => ledger.held.length <= max)
        ledger.always("a connection has one user at a time", () => !shared)
        ledger.always("no connection is lent that has failed its validation", () => !lentBroken)
        ledger.always("holders are those who hold", () => {
          const holders = Effect.runSync(pool.holders)
          return inUse.size <= holders.length
            && [...inUse.values()].every((fiber) => holders.some((holder) => holder.fiber === fiber))
        })
        const within = <E>(lease: Lease, body: Effect.Effect<void, E>) =>
          Effect.withFiber<void, E>((fiber) =>
            Effect.onExit(
              Effect.suspend(() => {
                shared ||= inUse.has(lease)
                lentBroken ||= dead.has(lease)
                inUse.set(lease, fiber.id)
                ledger.use(lease)
                return body
              }),
              () => Effect.sync(() => void inUse.delete(lease))
            )
          )
        yield* Script.toEffect<unknown, never>(script, [
          (body) => pool.use((lease) => within(lease, Effect.scoped(body))),
          (body) => Effect.flatMap(pool.lease({ acquireTimeout: 5 }), (lease) => within(lease, Effect.scoped(body))),
          (body) => pool.use((lease) => within(lease, Effect.andThen(pool.retire(lease), Effect.scoped(body)))),
          (body) => Effect.andThen(pool.health, body),
          (body) => Effect.andThen(Effect.forkChild(Effect.delay(pool.drain(20), 5)), body)
        ])
      }).pipe(Effect.scoped)

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `loses and shares nothing, and holders are right at every moment (${order} order)`,
        { script: Script.Script, flaky: Schema.Boolean },
        ({ flaky, script }) =>
          InterruptLab.verify((ledger) => program(ledger, script, flaky), { order, seed: script.length }),
        { arbitrary: { runs: 40 }, timeout: 60_000 }
      )
    }

    const busy: Script.Script = [
      {
        op: "both",
        left: [{ op: "use", n: 0, body: [{ op: "sleep", ms: 3 }] }],
        right: [{ op: "use", n: 1, body: [{ op: "fail" }] }]
      },
      { op: "sleep", ms: 4 },
      { op: "use", n: 0, body: [{ op: "sleep", ms: 2 }] }
    ]

    for (const flaky of [false, true]) {
      it.effect(`with acquisitions that fail, and releases that die and are slow (${flaky ? "flaky" : "steady"} server)`, () =>
        InterruptLab.verify((ledger) => program(ledger, [{ op: "attempt", body: busy }], flaky), {
          order: "random",
          inject: ["failingAcquire", "dyingRelease", "slowRelease"]
        }))
    }
  })
})
