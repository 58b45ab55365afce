/*
 * Tills send invoices to a writer, which writes up to forty of them at once. The database is away twice; meanwhile the
 * writer tries again and again, the queue fills up and the tills wait.
 *
 * Healthy: the queue holds 300 invoices, there are 25 tills, and the backlog is written as soon as the database is back.
 */
import { Effect, Queue, Schedule, Schema } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

class DatabaseAway extends Schema.TaggedError<DatabaseAway>()("DatabaseAway", { rows: Schema.Int }) {}

interface Invoice {
  readonly till: number
  readonly number: number
  readonly lines: ReadonlyArray<{ readonly article: string; readonly cents: number }>
}

const away = () => (elapsed() > 0.08 && elapsed() < 0.2) || (elapsed() > 0.55 && elapsed() < 0.61)

let written = 0

const insert = Effect.fn("Database.insert")(function*(rows: ReadonlyArray<Invoice>) {
  yield* Effect.sleep(jitter(50))
  if (away()) return yield* new DatabaseAway({ rows: rows.length })
  written += JSON.stringify(rows).length
})

const writer = Effect.fn("Writer.run")(function*(queue: Queue.Queue<Invoice>) {
  while (true) {
    const rows = yield* Queue.takeBetween(queue, 1, 40)
    yield* Effect.retry(
      insert(rows),
      Schedule.min([Schedule.exponential("40 millis"), Schedule.spaced("300 millis")]).pipe(Schedule.jittered)
    )
  }
})

const till = Effect.fn("Till.run")(function*(queue: Queue.Queue<Invoice>, till: number) {
  for (let number = 0;; number++) {
    const lines = Array.from({ length: 12 }, (_, n) => ({ article: `article ${n} of ${till}`, cents: number * n }))
    yield* Queue.offer(queue, { till, number, lines })
    yield* Effect.sleep(jitter(250))
  }
})

Effect.runFork(Effect.gen(function*() {
  const queue = yield* Queue.bounded<Invoice>(300)
  yield* Effect.forkChild(writer(queue))
  yield* Effect.forEach(Array.from({ length: 25 }, (_, n) => n), (n) => till(queue, n), { concurrency: "unbounded" })
}))
