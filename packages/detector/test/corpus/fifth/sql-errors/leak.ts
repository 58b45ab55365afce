/*
 * Statements that fail are counted, by what the database says about them.
 *
 * What is wrong: the database says which values it did not like, so that nearly every failure is a word of its own in
 * the metric.
 */
import { Context, Effect, Layer, Metric, Schedule, Schema } from "effect"
import "../../support/life.ts"

class SqlError extends Schema.TaggedError<SqlError>()("SqlError", {
  code: Schema.String,
  message: Schema.String
}) {}

const failures = Metric.frequency("sql_failures", { description: "Failed statements" })

const describe = (error: SqlError) => `${error.code}: ${error.message}`

class Database extends Context.Service<Database, {
  readonly insert: (table: string, values: ReadonlyArray<string>) => Effect.Effect<number, SqlError>
}>()("bookings/Database") {
  static readonly layer = Layer.sync(Database, () => {
    let rows = 0
    const execute = Effect.fn("Database.execute")(function*(table: string, values: ReadonlyArray<string>) {
      yield* Effect.sleep("3 millis")
      if (++rows % 3 > 0) return rows
      return yield* new SqlError({
        code: "23505",
        message:
          `duplicate key value violates unique constraint "${table}_pkey" in insert into ${table} values (${values})`
      })
    })
    return {
      insert: (table, values) =>
        execute(table, values).pipe(
          Effect.tapError((error) => Metric.update(failures, describe(error)))
        )
    }
  })
}

let bookings = 0

const book = Effect.fn("book")(function*() {
  const { insert } = yield* Database
  const booking = ++bookings
  const seats = Array.from({ length: 45 }, (_, n) => `'seat ${n} of booking ${booking}'`)
  return yield* insert("bookings", seats)
}, Effect.catchTag("SqlError", () => Effect.succeed(0)))

const main = book().pipe(
  Effect.forkDetach,
  Effect.repeat(Schedule.jittered(Schedule.spaced("9 millis"))),
  Effect.provide(Database.layer)
)

Effect.runFork(main)
