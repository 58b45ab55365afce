import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Pool } from "effect"
import { TestClock } from "effect/testing"
import type { LeaseError } from "../../src/ConnectionPool.ts"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as GracefulShutdown from "../../src/GracefulShutdown.ts"
import { handler, id, server, start, stubborn } from "../support/connections.ts"
import { heard, metric } from "../support/heard.ts"

describe("ConnectionPool.drain", () => {
  it.effect("refuses new leases, fails waiting fibers, and waits for held connections", () =>
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
        "Pool \"db\" is closed. Stop its users before it is drained"
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(open.size, 1)
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(yield* Fiber.join(held), [1, 2])
      const report = yield* Fiber.join(draining)
      assert.deepInclude(report, { held: [], stuck: 0 })
      assert.strictEqual(open.size, 0)
    }).pipe(Effect.scoped))

  it.effect("closes held connections after four fifths of the grace, and names the holders", () =>
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

  it.effect("ends by its grace, whatever hangs, while a plain pool waits forever", () =>
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

  const hangs = { "never ends": Effect.never, "cannot be interrupted": stubborn("1 day") }
  for (const part of ["opening", "validation", "closing", "use"] as const) {
    for (const [how, hang] of Object.entries(hangs)) {
      it.effect(`ends by its grace when one ${part} ${how}, and closes the other connections`, () =>
        heard(() =>
          Effect.gen(function*() {
            // The second connection is the one that hangs.
            const second = (what: typeof part, n: number) => what === part && n === 2 ? hang : Effect.void
            let opened = 0
            let closed = 0
            const pool = yield* ConnectionPool.make({
              acquire: Effect.acquireRelease(
                Effect.suspend(() => {
                  const n = ++opened
                  return Effect.as(second("opening", n), n)
                }),
                (n) => Effect.andThen(second("closing", n), Effect.sync(() => void closed++)),
                { interruptible: true }
              ),
              validate: (n) => second("validation", n),
              max: 3
            })
            const use = pool.use((n) => Effect.andThen(second("use", n), Effect.sleep(1)))
            const users = Effect.replicateEffect(Effect.exit(use), 3, { concurrency: 3 })
            yield* start(users)
            yield* TestClock.adjust("1 second")
            yield* start(users)
            yield* TestClock.adjust("100 millis")
            const draining = yield* start(pool.drain("3 seconds"))
            yield* TestClock.adjust("3 seconds")
            assert.isAtMost(Duration.toMillis((yield* Fiber.join(draining)).elapsed), 3000)
            const closes = part === "use" || part === "validation" ? 3 : 2
            assert.deepStrictEqual([opened, closed], [3, closes])
            assert.deepInclude(yield* pool.health, { open: 0, leased: 0, waiting: 0 })
            yield* TestClock.adjust("2 days")
          }).pipe(Effect.scoped)
        ))
    }
  }

  it.effect("runs in a shutdown after the users of the pool, and takes no longer than the remaining time", () =>
    heard(() =>
      Effect.gen(function*() {
        const { connect, open } = server()
        const shutdown = yield* GracefulShutdown.make({ preStopDelay: 0, deadline: "20 seconds" })
        const seen: Array<number> = []
        const build = Effect.gen(function*() {
          const pool = yield* ConnectionPool.make({ name: "db", acquire: connect, max: 2 })
          yield* shutdown.phase(
            "handlers",
            Effect.andThen(handler(pool, "1 second"), Effect.sync(() => seen.push(open.size)))
          )
          yield* start(handler(pool, "1 hour"))
          yield* shutdown.request("test")
          const drained = yield* start(shutdown.awaitDrained)
          yield* TestClock.adjust("20 seconds")
          const { participants } = yield* Fiber.join(drained)
          assert.deepStrictEqual(participants.map(({ name, outcome }) => [name, outcome]), [["handlers", "ended"], [
            "pool db",
            "ended"
          ]])
          assert.deepStrictEqual([seen, open.size], [[2], 0])
          yield* TestClock.adjust("1 hour")
        })
        yield* Effect.provideService(build, GracefulShutdown.GracefulShutdown, shutdown)
      }).pipe(Effect.scoped)
    ))

  it.effect("runs at the end of the pool's scope, and takes no longer than the enclosing deadline", () =>
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

  it.effect("abandons a closing that does not end, and gives its slot to another connection", () =>
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
          "Closing a connection of pool \"default\" did not end within 10s, did not respond to interruption and was abandoned"
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
