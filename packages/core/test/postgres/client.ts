/**
 * The process that is killed: it writes rows through a BatchWorker, or handles the messages of a Mailbox, and prints on its stdout
 * which of them are acknowledged. `node client.ts <batches|messages> <postgres|pglite> <directory>`
 */
import { PgClient } from "@effect/sql-pg"
import { PGlite } from "@electric-sql/pglite"
import type { Scope } from "effect"
import { Array as Arr, Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { writeSync } from "node:fs"
import * as BatchWorker from "../../src/BatchWorker.ts"
import * as Mailbox from "../../src/Mailbox.ts"

/** Writes rows in one slow transaction, so that it can be interrupted in the middle. */
type Insert = (ids: Arr.NonEmptyReadonlyArray<number>) => Effect.Effect<unknown, unknown>

const postgres = (directory: string) =>
  Effect.gen(function*() {
    const built = yield* Layer.build(PgClient.layer({ host: directory, username: "postgres", database: "postgres" }))
    const sql = Context.get(built, SqlClient.SqlClient)
    const insert: Insert = (ids) =>
      sql.withTransaction(Effect.gen(function*() {
        yield* sql`insert into rows ${sql.insert(Arr.map(ids, (id) => ({ id, batch: ids[0]!, size: ids.length })))}`
        yield* sql`select pg_sleep(0.02)`
      }))
    return insert
  })

const pglite = (directory: string) =>
  Effect.gen(function*() {
    const db = yield* Effect.promise(() => PGlite.create(directory))
    const insert: Insert = (ids) =>
      Effect.promise(() =>
        db.transaction(async (transaction) => {
          for (const id of ids) {
            await transaction.query("insert into rows values ($1, $2, $3)", [id, ids[0], ids.length])
          }
          await transaction.query("select pg_sleep(0.02)")
        })
      )
    return insert
  })

const acknowledge = (id: number) => Effect.sync(() => void writeSync(1, `${id}\n`))

/** Four producers that each wait for the acknowledgement of their row. */
const batches = (insert: Insert) =>
  Effect.gen(function*() {
    const worker = yield* BatchWorker.make<number, unknown>({
      maxSize: 10,
      maxWait: "5 millis",
      flush: insert,
      onGiveUp: (_, cause) => Effect.logError(cause)
    })
    let id = 0
    const produce = Effect.forever(Effect.suspend(() => {
      const mine = ++id
      return Effect.andThen(worker.offerAwait(mine), acknowledge(mine))
    }))
    yield* Effect.all(Array.from({ length: 30 }, () => produce), { concurrency: "unbounded" })
  })

/** A producer, and handlers that acknowledge what they have written. */
const messages = (insert: Insert) =>
  Effect.gen(function*() {
    const mailbox = yield* Mailbox.make<number>({ capacity: 20 })
    let id = 0
    yield* Effect.forkChild(Effect.forever(Effect.suspend(() => mailbox.send(++id))))
    yield* mailbox.run((mine) => Effect.andThen(insert([mine]), acknowledge(mine)), { concurrency: 4 })
  })

const [what, database, directory] = process.argv.slice(2) as ["batches" | "messages", "postgres" | "pglite", string]
const program: Effect.Effect<void, unknown, Scope.Scope> = Effect.flatMap(
  database === "postgres" ? postgres(directory) : pglite(directory),
  what === "batches" ? batches : messages
)
Effect.runFork(Effect.scoped(program))
