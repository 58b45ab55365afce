import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import { id, server, start, stubborn } from "../support/connections.ts"
import { heard, metric } from "../support/heard.ts"

describe("validation of a ConnectionPool", () => {
  const idle = "500 millis"

  it.effect("runs only after a connection was idle", () =>
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

  it.effect("never lends a connection that failed it, and then validates all others", () =>
    Effect.gen(function*() {
      const { connect, open, seen, validate } = server()
      const pool = yield* ConnectionPool.make({ acquire: connect, validate, max: 3 })
      yield* Effect.scoped(Effect.replicateEffect(pool.lease(), 3))
      yield* TestClock.adjust(idle)
      // The server was restarted: all three connections are dead, and one of them was used a moment ago.
      assert.strictEqual(yield* pool.use(id), 1)
      for (const connection of open) connection.alive = false
      seen.validated.length = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* pool.lease()
        assert.strictEqual(first.id, 1)
        assert.strictEqual(yield* pool.use(id), 4)
      }))
      assert.deepStrictEqual(seen.validated, [2, 3])
      // A connection returned while all were suspect is validated as well, and has made the last one suspect again.
      assert.strictEqual(yield* pool.use(id), 4)
      assert.deepStrictEqual(seen.validated, [2, 3, 1, 4])
      assert.strictEqual(yield* metric("pool_invalid_total"), 3)
    }).pipe(Effect.scoped))

  it.effect("runs before each lease when configured", () =>
    Effect.gen(function*() {
      const { connect, seen, validate } = server()
      const pool = yield* ConnectionPool.make({ acquire: connect, validate, validateAfterIdle: 0, max: 1 })
      const users = yield* start(Effect.replicateEffect(pool.use(() => Effect.sleep(1)), 3, { concurrency: 3 }))
      yield* TestClock.adjust("3 millis")
      yield* Fiber.join(users)
      assert.deepStrictEqual(seen.validated, [1, 1])
    }).pipe(Effect.scoped))

  for (
    const [name, hang] of [["never ends", Effect.never], ["cannot be interrupted", stubborn("1 hour")]] as const
  ) {
    it.effect(`fails at its time limit, also when it ${name}`, () =>
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

  it.effect("delays a borrower by at most its acquireTimeout", () =>
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

describe("a ConnectionPool does not lend a connection again", () => {
  it.effect("when its use has ended fatally; all others are then validated", () =>
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

  it.effect("when it was retired: immediately, or when it is returned", () =>
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

  it.effect("when it is too old, after its return; connections do not expire together", () =>
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

  it.effect("when it was idle for too long, except for min connections", () =>
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
