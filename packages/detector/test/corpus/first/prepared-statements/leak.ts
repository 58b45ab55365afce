/**
 * A repository that prepares a statement for each request and runs it.
 * Leak: the statement is a resource of the repository's own scope, so its finalizer waits there for the end of the
 * process, and holds the statement with its plan.
 */
import { Context, Effect, Layer, Scope } from "effect"
import { jitter } from "../../support/life.ts"

interface Statement {
  readonly sql: string
  readonly plan: ReadonlyArray<{ readonly step: string; readonly cost: number }>
  closed: boolean
}

const prepare = (sql: string) =>
  Effect.sync((): Statement => ({
    sql,
    plan: Array.from({ length: 12 }, (_, n) => ({ step: `scan ${n} of ${sql}`, cost: Math.random() })),
    closed: false
  }))

class Orders extends Context.Service<Orders, {
  readonly find: (id: number) => Effect.Effect<number>
}>()("Orders") {
  static readonly layer = Layer.effect(
    Orders,
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const statement = (sql: string) =>
        Effect.acquireRelease(prepare(sql), (statement) =>
          Effect.sync(() => {
            statement.closed = true
          }))

      const find = Effect.fn("Orders.find")(function*(id: number) {
        const prepared = yield* Scope.provide(statement(`select * from orders where id = ${id}`), scope)
        yield* Effect.sleep(jitter(4))
        return prepared.plan.length
      })

      return { find }
    })
  )
}

const program = Effect.gen(function*() {
  const orders = yield* Orders
  for (let id = 1;; id++) {
    yield* Effect.forkChild(orders.find(id))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(Effect.provide(program, Orders.layer))
