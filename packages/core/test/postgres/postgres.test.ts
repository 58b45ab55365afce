import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { PGlite } from "@electric-sql/pglite"
import { Array as Arr, Deferred, Effect, Fiber, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as BatchWorker from "../../src/BatchWorker.ts"
import * as Mailbox from "../../src/Mailbox.ts"
import { makeServer } from "./server.ts"

const server = makeServer()
const why = typeof server === "string" ? server : undefined
// eslint-disable-next-line no-console
if (why !== undefined) console.log(`PostgreSQL is not tried: ${why}. PGlite stands in where it can.`)

const table = "create table rows (id int not null, batch int not null, size int not null)"

interface Row {
  readonly id: number
  readonly batch: number
  readonly size: number
}

/** Starts the client, kills it at `when`, and returns the items that it had acknowledged. */
const killed = async (
  args: readonly [what: "batches" | "messages", database: "postgres" | "pglite", directory: string],
  when: (acknowledged: number) => Promise<boolean>
): Promise<ReadonlyArray<number>> => {
  const client = spawn(process.execPath, [fileURLToPath(new URL("client.ts", import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const acknowledged: Array<number> = []
  const lines = createInterface(client.stdout)
  lines.on("line", (line) => acknowledged.push(Number(line)))
  const closed = once(lines, "close")
  const ended = once(client, "exit")
  while (client.exitCode === null && !await when(acknowledged.length)) await new Promise((turn) => setImmediate(turn))
  client.kill("SIGKILL")
  const [, signal] = await ended
  // Output written before it died is still in the pipe.
  await closed
  assert.strictEqual(signal, "SIGKILL")
  return acknowledged
}

/** Checks that acknowledged rows exist, that none exists twice, and that no batch exists in part. */
const check = (acknowledged: ReadonlyArray<number>, rows: ReadonlyArray<Row>) => {
  assert.isAtLeast(acknowledged.length, 20)
  const ids = new Set(rows.map(({ id }) => id))
  assert.deepStrictEqual(acknowledged.filter((id) => !ids.has(id)), [])
  assert.strictEqual(ids.size, rows.length)
  const batches = new Map<number, number>()
  for (const { batch } of rows) batches.set(batch, (batches.get(batch) ?? 0) + 1)
  assert.deepStrictEqual(rows.filter(({ batch, size }) => batches.get(batch) !== size), [])
}

// it.live throughout: a real server uses real time.
describe.skipIf(why !== undefined)("in front of a real PostgreSQL", () => {
  if (typeof server === "string") return

  beforeAll(() => server.start())
  afterAll(() => {
    server.stop("fast")
    server.remove()
  })

  const application = (name: string) =>
    Layer.fresh(PgClient.layer({
      host: server.directory,
      username: "postgres",
      database: "postgres",
      applicationName: name,
      maxConnections: 4
    }))

  /** A connection of the test itself, which is never cut. */
  const admin = <A, E>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
    Effect.flatMap(SqlClient.SqlClient, use).pipe(Effect.provide(application("admin")))

  const fresh = admin((sql) => Effect.andThen(sql`drop table if exists rows`, sql.unsafe(table)))
  const allRows = admin((sql) => sql<Row>`select id, batch, size from rows order by id`)

  for (const what of ["batches", "messages"] as const) {
    it.live(`keeps acknowledged items when the client of ${what} is killed in the middle of writing`, () =>
      Effect.gen(function*() {
        yield* fresh
        const acknowledged = yield* admin((sql) =>
          Effect.gen(function*() {
            const busy = sql<{ n: number }>`
              select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep' and application_name <> 'admin'`
            const context = yield* Effect.context()
            return yield* Effect.promise(() =>
              killed([what, "postgres", server.directory], async (count) => {
                if (count < 50) return false
                const [row] = await Effect.runPromiseWith(context)(busy)
                return row!.n > 0
              })
            )
          })
        )
        check(acknowledged, yield* allRows)
      }))
  }

  const cut = (name: string) =>
    admin((sql) =>
      sql<{ n: number }>`
        select count(pg_terminate_backend(pid))::int as n from pg_stat_activity where application_name = ${name}`
    )

  const upsert = (sql: SqlClient.SqlClient, ids: ReadonlyArray<number>) =>
    sql.withTransaction(Effect.gen(function*() {
      for (const id of ids) {
        yield* sql`insert into rows select ${id}, ${ids[
          0
        ]!}, ${ids.length} where not exists (select from rows where id = ${id})`
      }
      yield* sql`select pg_sleep(0.005)`
    }))

  const ids = Array.from({ length: 200 }, (_, i) => i)

  it.live("writes every item at least once, with a repeatable flush, while its connections are cut", () =>
    Effect.gen(function*() {
      yield* fresh
      const counts = yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const worker = yield* BatchWorker.make<number, unknown, never>({
          maxSize: 20,
          flush: (items) => upsert(sql, items),
          retry: Schedule.spaced("10 millis"),
          onGiveUp: (_, cause) => Effect.logError(cause)
        })
        let cuts = 0
        const cutting = yield* Effect.forkChild(Effect.forever(Effect.andThen(
          Effect.tap(cut("least"), ([row]) => Effect.sync(() => cuts += row!.n)),
          Effect.sleep("20 millis")
        )))
        yield* Effect.forEach(ids, worker.offerAwait, { concurrency: 40 })
        yield* Fiber.interrupt(cutting)
        assert.isAtLeast(cuts, 3)
        return yield* worker.counts
      })).pipe(Effect.provide(application("least")))
      assert.deepInclude(counts, { flushed: ids.length, gaveUp: 0, lost: 0 })
      assert.deepStrictEqual((yield* allRows).map(({ id }) => id), ids)
    }))

  it.live("writes every item at most once, without retry, and keeps flushed items", () =>
    Effect.gen(function*() {
      yield* fresh
      const flushed: Array<number> = []
      const gaveUp: Array<number> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const worker = yield* BatchWorker.make<number, unknown, never>({
          maxSize: 20,
          flush: (items) =>
            sql.withTransaction(Effect.gen(function*() {
              yield* sql`insert into rows ${
                sql.insert(Arr.map(items, (id) => ({ id, batch: items[0]!, size: items.length })))
              }`
              yield* sql`select pg_sleep(0.005)`
            })),
          onGiveUp: (items) => Effect.sync(() => gaveUp.push(...items))
        })
        const cutting = yield* Effect.forkChild(Effect.forever(Effect.andThen(cut("most"), Effect.sleep("20 millis"))))
        yield* Effect.forEach(ids, (id) =>
          Effect.match(worker.offerAwait(id), {
            onSuccess: () => void flushed.push(id),
            onFailure: () => {}
          }), { concurrency: 40 })
        yield* Fiber.interrupt(cutting)
      })).pipe(Effect.provide(application("most")))
      assert.deepStrictEqual([...flushed, ...gaveUp].sort((a, b) => a - b), ids)
      assert.isAtLeast(gaveUp.length, 1)
      check(flushed, yield* allRows)
    }))

  it.live("continues after the server was stopped or has crashed, and was restarted", () =>
    Effect.gen(function*() {
      yield* fresh
      yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const quarter = yield* Deferred.make<void>()
        const half = yield* Deferred.make<void>()
        let written = 0
        const worker = yield* BatchWorker.make<number, unknown, never>({
          maxSize: 20,
          flush: (items) =>
            Effect.tap(upsert(sql, items), () =>
              Effect.suspend(() => {
                written += items.length
                return written >= 120
                  ? Deferred.succeed(half, undefined)
                  : written >= 60
                  ? Deferred.succeed(quarter, undefined)
                  : Effect.void
              })),
          retry: Schedule.spaced("20 millis"),
          onGiveUp: (_, cause) => Effect.logError(cause)
        })
        const offering = yield* Effect.forkChild(Effect.forEach(ids, worker.offerAwait, { concurrency: 40 }))
        yield* Deferred.await(quarter)
        yield* Effect.sync(() => server.stop("fast"))
        yield* Effect.sleep("100 millis")
        yield* Effect.sync(() => server.start())
        yield* Deferred.await(half)
        yield* Effect.sync(() => server.stop("immediate"))
        yield* Effect.sync(() => server.start())
        yield* Fiber.join(offering)
        assert.deepInclude(yield* worker.counts, { flushed: ids.length, gaveUp: 0, lost: 0 })
      })).pipe(Effect.provide(application("restart")))
      assert.deepStrictEqual((yield* allRows).map(({ id }) => id), ids)
    }))

  it.live("continues with a mailbox after the server has crashed and was restarted", () =>
    Effect.gen(function*() {
      yield* fresh
      const some = ids.slice(0, 100)
      const counts = yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const mailbox = yield* Mailbox.make<number>({ capacity: 50 })
        const half = yield* Deferred.make<void>()
        let written = 0
        const write = (id: number) =>
          Effect.tap(
            upsert(sql, [id]),
            () => Effect.suspend(() => ++written >= 40 ? Deferred.succeed(half, undefined) : Effect.void)
          )
        const handling = yield* Effect.forkChild(
          Effect.retry(Effect.sandbox(mailbox.run(write, { concurrency: 4 })), Schedule.spaced("10 millis"))
        )
        const sending = yield* Effect.forkChild(
          Effect.andThen(Effect.forEach(some, mailbox.send, { discard: true }), mailbox.close)
        )
        yield* Deferred.await(half)
        yield* Effect.sync(() => server.stop("immediate"))
        yield* Effect.sleep("50 millis")
        yield* Effect.sync(() => server.start())
        yield* Fiber.join(sending)
        yield* Fiber.join(handling)
        return yield* mailbox.counts
      })).pipe(Effect.provide(application("restarted mailbox")))
      assert.deepInclude(counts, { offered: some.length, delivered: some.length, dropped: 0 })
      assert.isAtLeast(counts.redelivered, 1)
      assert.deepStrictEqual((yield* allRows).map(({ id }) => id), some)
    }))

  it.live("redelivers messages of a mailbox that its handler could not write, and loses none", () =>
    Effect.gen(function*() {
      yield* fresh
      const counts = yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const mailbox = yield* Mailbox.make<number>({ capacity: 50 })
        const handling = yield* Effect.forkChild(
          // A rollback on a broken connection is a defect.
          Effect.retry(
            Effect.sandbox(mailbox.run((id) => upsert(sql, [id]), { concurrency: 4 })),
            Schedule.spaced("10 millis")
          )
        )
        const cutting = yield* Effect.forkChild(
          Effect.forever(Effect.andThen(cut("mailbox"), Effect.sleep("60 millis")))
        )
        yield* Effect.forEach(ids.slice(0, 100), mailbox.send, { discard: true })
        yield* mailbox.close
        yield* Fiber.join(handling)
        yield* Fiber.interrupt(cutting)
        return yield* mailbox.counts
      })).pipe(Effect.provide(application("mailbox")))
      assert.deepInclude(counts, { offered: 100, delivered: 100, dropped: 0 })
      assert.isAtLeast(counts.redelivered, 1)
      assert.deepStrictEqual((yield* allRows).map(({ id }) => id), ids.slice(0, 100))
    }))
})

describe.skipIf(why === undefined)("in front of PGlite", () => {
  for (const what of ["batches", "messages"] as const) {
    it(`keeps acknowledged items when the client of ${what} is killed in the middle of writing`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "fiberscope-pglite-"))
      const data = join(directory, "data")
      try {
        const before = await PGlite.create(data)
        await before.exec(table)
        await before.close()
        const acknowledged = await killed([what, "pglite", data], async (count) => count >= 20)
        const after = await PGlite.create(data)
        const { rows } = await after.query<Row>("select id, batch, size from rows order by id")
        await after.close()
        check(acknowledged, rows)
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })
  }
})
