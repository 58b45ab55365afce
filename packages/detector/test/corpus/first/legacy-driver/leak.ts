/**
 * Queries go through an old driver with callbacks, each of them under a slot that is given back when the query is over.
 * Leak: when its socket is reset the driver drops the callback. The fiber can never go on, nothing refers to it, it is
 * collected, and the finalizer that gives the slot back never runs.
 */
import { Data, Effect } from "effect"
import { jitter } from "../../support/life.ts"

class QueryFailed extends Data.TaggedError("QueryFailed")<{ readonly reason: string }> {}

const driver = {
  query(sql: string, callback: (error: Error | undefined, rows: ReadonlyArray<string>) => void) {
    const reset = Math.random() < 0.1
    setTimeout(() => {
      if (reset) return
      callback(undefined, [sql, sql.toUpperCase()])
    }, jitter(15))
  }
}

let slots = 0

const query = Effect.fn("LegacyDriver.query")(function*(sql: string) {
  return yield* Effect.callback<ReadonlyArray<string>, QueryFailed>((resume) => {
    driver.query(sql, (error, rows) => {
      resume(error ? Effect.fail(new QueryFailed({ reason: error.message })) : Effect.succeed(rows))
    })
  })
})

const withSlot = Effect.acquireUseRelease(
  Effect.sync(() => ++slots),
  (slot) => query(`select * from invoices where slot = ${slot}`),
  () => Effect.sync(() => --slots)
)

const lookUp = Effect.fn("lookUp")(function*() {
  const rows = yield* withSlot
  return rows.length
}, Effect.ignore)

const program = Effect.gen(function*() {
  while (true) {
    yield* Effect.forkDetach(lookUp())
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(program)
