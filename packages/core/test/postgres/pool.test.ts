import { PgConnection } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Cause, Scope } from "effect"
import { Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { SqlError } from "effect/sql"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import { heard } from "../support/heard.ts"
import { makeServer } from "./server.ts"

const server = makeServer()
const why = typeof server === "string" ? server : undefined
// eslint-disable-next-line no-console
if (why !== undefined) console.log(`The pool is not tried with PostgreSQL: ${why}.`)

type Connection = PgConnection.PgConnection
type Pool = ConnectionPool.ConnectionPool<Connection, SqlError.SqlError>

// it.live throughout: a real server uses real time.
describe.skipIf(why !== undefined)("a ConnectionPool in front of a real PostgreSQL", () => {
  if (typeof server === "string") return

  beforeAll(() => server.start())
  afterAll(() => {
    server.stop("fast")
    server.remove()
  })

  const connect = PgConnection.make({
    host: server.directory,
    username: "postgres",
    database: "postgres",
    applicationName: "pool"
  })

  /** A connection of the test itself, which is never cut; it waits until the server accepts it. */
  const admin = (sql: string) =>
    Effect.scoped(Effect.flatMap(
      PgConnection.make({ host: server.directory, username: "postgres", database: "postgres" }),
      (connection) => connection.query(sql)
    )).pipe(Effect.retry(Schedule.spaced("10 millis")), Effect.orDie)

  const cutAll = admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pool'")

  /** Counts connections, from before they are opened until after they are closed. */
  const counted = () => {
    const counts = { open: 0, most: 0 }
    const acquire: Effect.Effect<Connection, SqlError.SqlError, Scope.Scope> = Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => counts.most = Math.max(counts.most, ++counts.open)),
        () => Effect.sync(() => counts.open--)
      ),
      connect
    )
    return { counts, acquire }
  }

  const ask = (connection: Connection) => connection.query("select pg_backend_pid() as pid")

  /** Checks that the answer belongs to this connection, and not to a query of another one. */
  const identify = (connection: Connection) =>
    Effect.map(ask(connection), ({ rows }) => {
      assert.strictEqual(rows[0]!["pid"], connection.processId)
      return connection.processId
    })

  const gone = (cause: Cause.Cause<unknown>) =>
    cause.reasons.some((reason) =>
      reason._tag === "Fail"
      && reason.error instanceof SqlError.SqlError
      && ["ConnectionError", "UnknownError"].includes(reason.error.reason._tag)
    )

  /** Opens `n` connections at once, and returns the ids of their server processes. */
  const fill = (pool: Pool, count: number) =>
    Effect.scoped(Effect.map(
      Effect.replicateEffect(pool.lease(), count),
      (connections) => connections.map(({ processId }) => processId)
    ))

  const faults: Readonly<Record<string, (pids: ReadonlyArray<number>) => Effect.Effect<unknown>>> = {
    "whose connections were cut": () => cutAll,
    "that crashed, because one of its processes was killed": ([pid]) =>
      Effect.andThen(Effect.sync(() => process.kill(pid!, "SIGKILL")), admin("select 1")),
    "that was stopped and started": () =>
      Effect.sync(() => {
        server.stop("immediate")
        server.start()
      })
  }

  for (const [what, fault] of Object.entries(faults)) {
    it.live(`lends no dead connection of a server ${what}, and no borrower notices`, () =>
      Effect.gen(function*() {
        const { acquire, counts } = counted()
        const pool = yield* ConnectionPool.make({ acquire, validate: ask, validateAfterIdle: 0, max: 4 })
        const before = yield* fill(pool, 4)
        yield* fault(before)
        const after = yield* Effect.replicateEffect(pool.use(identify), 8, { concurrency: 8 })
        assert.deepStrictEqual(after.filter((pid) => before.includes(pid)), [])
        assert.isAtMost(counts.most, 4)
      }).pipe(Effect.scoped))
  }

  it.live("returns an error to a running query, and a working connection to the next borrower", () =>
    Effect.gen(function*() {
      const { acquire, counts } = counted()
      const pool = yield* ConnectionPool.make({ acquire, validate: ask, isFatal: gone, max: 3 })
      const queries = yield* Effect.forkChild(
        Effect.replicateEffect(Effect.exit(pool.use((connection) => connection.query("select pg_sleep(60)"))), 3, {
          concurrency: 3
        })
      )
      while (counts.open < 3 || (yield* pool.health).leased < 3) yield* Effect.sleep(5)
      yield* Effect.sync(() => server.stop("immediate"))
      const exits = yield* Fiber.join(queries)
      assert.isTrue(exits.every(Exit.isFailure))
      const refused = yield* Effect.exit(pool.use(identify))
      assert.isTrue(Exit.isFailure(refused))
      assert.isDefined((yield* pool.health).lastFailure)
      yield* Effect.sync(() => server.start())
      yield* Effect.replicateEffect(pool.use(identify), 6, { concurrency: 6 })
      assert.isAtMost(counts.most, 3)
    }).pipe(Effect.scoped))

  it.live("waits at most its limits for a server that accepts connections and never answers, and continues when it does", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const { acquire, counts } = counted()
        const frozen = yield* Effect.gen(function*() {
          const pool = yield* ConnectionPool.make({
            acquire,
            validate: ask,
            validateAfterIdle: 0,
            validateTimeout: "100 millis",
            acquireTimeout: "300 millis",
            closeGrace: "1 second",
            max: 3
          })
          const pids = yield* fill(pool, 2)
          yield* Effect.sync(() => server.freeze(pids))
          const errors = yield* Effect.replicateEffect(Effect.flip(pool.use(identify)), 6, { concurrency: 6 })
          for (const error of errors) {
            assert.instanceOf(error, ConnectionPool.AcquireTimeout)
            assert.match(error.message, /0 of 3 are held; \d are being opened: is the server reachable\?$/)
          }
          yield* Effect.sync(() => server.thaw())
          yield* Effect.retry(pool.use(identify), Schedule.recurs(20))
          yield* fill(pool, 2)
          const again = yield* fill(pool, 2)
          yield* Effect.sync(() => server.freeze(again))
          yield* Effect.forkChild(Effect.exit(Effect.scoped(Effect.andThen(pool.lease(), Effect.never))), {
            startImmediately: true
          })
          return yield* pool.drain("500 millis")
        }).pipe(Effect.scoped)
        // Timers on a busy machine may be late, but less than a hang would be.
        assert.isBelow(Duration.toMillis(frozen.elapsed), 5000)
        yield* Effect.sync(() => server.thaw())
        assert.isAtMost(counts.most, 3)
        assert.strictEqual(counts.open, 0)
        assert.isAtLeast(lines.length, 1)
      })
    ))

  it.live(
    "survives 10 000 leases by 200 clients with a fault every second: none is lost, none is shared",
    () =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const clients = 200
          const each = 50
          const { acquire, counts } = counted()
          const pool = yield* ConnectionPool.make({
            name: "storm",
            acquire,
            validate: ask,
            validateAfterIdle: "20 millis",
            validateTimeout: "300 millis",
            isFatal: gone,
            leakThreshold: "2 seconds"
          })
          const inUse = new Map<Connection, number>()
          const seen = { done: 0, failed: 0, shared: 0, wrong: 0, checked: 0 }
          const check = Effect.map(pool.holders, (holders) => {
            const of = new Set(holders.map(({ fiber }) => fiber))
            seen.checked++
            if (holders.length > 10 || of.size !== holders.length) seen.wrong++
            for (const fiber of inUse.values()) if (!of.has(fiber)) seen.wrong++
          })
          const work = Effect.fn("client")(function*() {
            yield* pool.use((connection) =>
              Effect.withFiber((fiber) => {
                if (inUse.has(connection)) seen.shared++
                inUse.set(connection, fiber.id)
                return check.pipe(
                  Effect.andThen(Effect.timeout(connection.query("select pg_sleep(0.004)"), "300 millis")),
                  Effect.andThen(Effect.timeout(identify(connection), "300 millis")),
                  Effect.ensuring(Effect.andThen(check, Effect.sync(() => inUse.delete(connection))))
                )
              })
            ).pipe(
              Effect.tapError(() => Effect.sync(() => seen.failed++)),
              Effect.retry(Schedule.spaced("10 millis"))
            )
            seen.done++
          })
          const forget = Effect.fn("forgetful")(() => pool.lease({ label: "export" }))
          const leak = yield* Effect.forkChild(Effect.scoped(Effect.andThen(forget(), Effect.never)), {
            startImmediately: true
          })
          const storm = yield* Effect.forkChild(
            Effect.replicateEffect(Effect.replicateEffect(work(), each, { discard: true }), clients, {
              concurrency: clients,
              discard: true
            })
          )
          const some = () => [...inUse.keys()].map(({ processId }) => processId)
          const causes = [
            cutAll,
            Effect.sync(() => server.stop("immediate")).pipe(
              Effect.andThen(Effect.sleep("200 millis")),
              Effect.andThen(Effect.sync(() => server.start()))
            ),
            Effect.sync(() => server.freeze(some())).pipe(
              Effect.andThen(Effect.sleep("400 millis")),
              Effect.andThen(Effect.sync(() => server.thaw()))
            ),
            Effect.sync(() => some().slice(0, 1).forEach((pid) => process.kill(pid, "SIGKILL")))
          ]
          let happened = 0
          while (storm.pollUnsafe() === undefined) {
            yield* Effect.raceFirst(Effect.sleep("1 second"), Fiber.await(storm))
            if (storm.pollUnsafe() !== undefined) break
            yield* causes[happened++ % causes.length]!
          }
          yield* Fiber.join(storm)
          assert.deepInclude(seen, { done: clients * each, shared: 0, wrong: 0 })
          assert.isAtLeast(happened, causes.length)
          assert.isAtLeast(seen.failed, 1)
          assert.isAtMost(counts.most, 10)
          const [holder, ...others] = yield* pool.holders
          assert.deepStrictEqual([holder!.label, holder!.fiber, holder!.overdue, others], ["export", leak.id, true, []])
          yield* Fiber.interrupt(leak)
          const about = lines.filter((line) => line.includes("export"))
          assert.lengthOf(about, 2)
          assert.match(
            about[0]!,
            /^A connection of pool "storm" has been held for 2s.* by "export" in forgetful \(.*pool\.test\.ts:\d+\), and may/
          )
          assert.match(about[1]!, /"export" in forgetful \(.*\) held has come back after /)
          const { leased, open, waiting } = yield* pool.health
          assert.deepStrictEqual({ leased, waiting }, { leased: 0, waiting: 0 })
          assert.strictEqual(open, counts.open)
          const { held, stuck } = yield* pool.drain()
          assert.deepStrictEqual([held, stuck, counts.open], [[], 0, 0])
        }).pipe(Effect.scoped)
      ),
    180_000
  )
})
