import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Context, Effect, Exit, Fiber, Layer, Pool, Scope } from "effect"
import { TestClock } from "effect/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import type { LeaseError } from "../src/ConnectionPool.ts"
import * as ConnectionPool from "../src/ConnectionPool.ts"
import type { Connection } from "./support/connections.ts"
import { handler, id, server, start, stubborn } from "./support/connections.ts"
import { heard, metric } from "./support/heard.ts"

describe("ConnectionPool", () => {
  it.effect("opens connections on demand, at most max, and lends the one used last", () =>
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

  it.effect("lends until the scope closes, or while an effect runs, however the effect ends", () =>
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

  it.effect("gives no connection to a fiber that still runs in a closed scope", () =>
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

  it.effect("serves waiting fibers in order", () =>
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

  it.effect("opens connections in the async context of the pool, not in that of the request", () =>
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

  it.effect("rejects invalid limits", () =>
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

  describe("when no connection is free", () => {
    it.effect("fails in time and names the holders, while a plain pool waits forever", () =>
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
          /^No connection of pool "db" became free within 30s: 2 of 2 are held, by handler \(.*connections\.ts:\d+\) × 2 for up to 35s$/
        )
        assert.strictEqual(yield* metric("pool_timeouts_total", "db"), 1)
        yield* TestClock.adjust("1 day")
        assert.isUndefined(waiting.pollUnsafe())
        yield* Fiber.interrupt(waiting)
      }).pipe(Effect.scoped))

    it.effect("waits for the time given by the lease, and retains nothing of fibers that gave up", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: server().connect, max: 1 })
        yield* pool.lease({ label: "the only one" })
        const slow = yield* start(Effect.flip(pool.use(id)))
        const quick = yield* start(Effect.flip(pool.use(id, { acquireTimeout: "1 second" })))
        yield* TestClock.adjust("1 second")
        assert.match(
          String((yield* Fiber.join(quick) as Effect.Effect<LeaseError>).message),
          /^No connection .* became free within 1s: .*"the only one" in /
        )
        assert.strictEqual((yield* pool.health).waiting, 1)
        yield* TestClock.adjust("29 seconds")
        yield* Fiber.join(slow)
        assert.strictEqual((yield* pool.health).waiting, 0)
      }).pipe(Effect.scoped, Effect.withSpan("test")))

    it.effect("reports that connections are still being opened", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: server({ opens: stubborn("1 hour") }).connect, max: 1 })
        const failing = yield* start(Effect.flip(pool.use(id)))
        yield* TestClock.adjust("30 seconds")
        assert.match(
          String((yield* Fiber.join(failing) as Effect.Effect<LeaseError>).message),
          /0 of 1 are held; 1 are being opened: is the server reachable\?$/
        )
        yield* TestClock.adjust("1 hour")
      }).pipe(Effect.scoped))

    it.effect("fails immediately when maxWaiters fibers are waiting", () =>
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
        assert.match(
          late.message,
          /^Pool ".*" is saturated: 1 fibers are already waiting \(maxWaiters\)\. 2 of 2 are held, by handler/
        )
        assert.strictEqual(yield* metric("pool_rejected_total"), 2)
      }).pipe(Effect.scoped))
  })

  describe("when a connection cannot be opened", () => {
    it.effect("fails the first waiter, and tries again for the next one", () =>
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

    it.effect("fails each waiter immediately, up to maxWaiters", () =>
      Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ acquire: Effect.fail("refused"), max: 10, maxWaiters: 2000 })
        const users = yield* Effect.forEach(Array.from({ length: 2000 }), () =>
          start(Effect.flip(pool.use(() => Effect.void))))
        assert.deepStrictEqual(new Set(yield* Effect.forEach(users, Fiber.join)), new Set(["refused"]))
      }).pipe(Effect.scoped))

    it.effect("closes the resources of a failed opening", () =>
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

    it.effect("does not wait for an opening that does not respond to interruption, but keeps its slot occupied", () =>
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
          assert.match(lines[0]!, /did not end within 30s, does not respond to interruption and keeps its place$/)
          yield* pool.lease()
          assert.deepInclude(yield* pool.health, { open: 2, opening: 1, leased: 1 })
          const waiting = yield* start(pool.use(id))
          yield* TestClock.adjust("20 seconds")
          // The connection that it finally opened was closed immediately: no fiber waited for it.
          assert.strictEqual(yield* Fiber.join(waiting), 3)
          assert.strictEqual(open.size, 2)
        }).pipe(Effect.scoped)
      ))
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

  it.effect("never has more than max connections open, while a plain pool replaces connections that are still open", () =>
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
    it.effect("lists the holders, the start of each lease, and the overdue leases", () =>
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

    it.effect("reports a possibly forgotten lease once, and its return once", () =>
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
          // The connection has a new lease now, with its own start time.
          yield* pool.use(() => Effect.void)
          yield* TestClock.adjust("1 hour")
          assert.lengthOf(lines, 2)
        }).pipe(Effect.scoped)
      ))
  })
})
