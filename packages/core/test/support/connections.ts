/** A server that counts its connections, and programs that use them. */
import type { Duration, Scope } from "effect"
import { Effect } from "effect"
import type * as ConnectionPool from "../../src/ConnectionPool.ts"

export interface Connection {
  readonly id: number
  /** The result of a validation. */
  alive: boolean
}

/** A server that counts its connections. */
export const server = (options: {
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

export const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

export const id = ({ id }: Connection) => Effect.succeed(id)

export const stubborn = (duration: Duration.Input) => Effect.uninterruptible(Effect.sleep(duration))

export const handler = Effect.fn("handler")(function*(
  pool: ConnectionPool.ConnectionPool<Connection, unknown>,
  duration: Duration.Input
) {
  return yield* pool.use((connection) => Effect.delay(id(connection), duration))
})
