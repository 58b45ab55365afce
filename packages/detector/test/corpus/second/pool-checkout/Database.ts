import { Context, Data, Effect, Layer, Pool } from "effect"

export class QueryError extends Data.TaggedError("QueryError")<{ readonly sql: string }> {}

export interface Connection {
  readonly id: number
  readonly run: (sql: string) => Effect.Effect<ReadonlyArray<number>, QueryError>
}

let connections = 0

const connect = Effect.acquireRelease(
  Effect.sync((): Connection => ({
    id: ++connections,
    run: (sql) => {
      const rows = Array.from(sql, (letter) => letter.charCodeAt(0))
      return Effect.delay(sql.includes("--") ? Effect.fail(new QueryError({ sql })) : Effect.succeed(rows), "8 millis")
    }
  })),
  () => Effect.void
)

export class Database extends Context.Service<Database, {
  readonly pool: Pool.Pool<Connection>
}>()("shop/Database") {
  static readonly layer = Layer.effect(
    Database,
    Effect.map(Pool.make({ acquire: connect, size: 8 }), (pool) => ({ pool }))
  )
}
