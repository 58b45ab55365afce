// Reports are rendered by background fibers; a status page shows how many of them have been started and how many run.
// Leak: `started` keeps the fiber of every report, and an ended fiber keeps its result.
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const started = []
const counts = { started: 0, running: 0 }

const renderReport = (account) =>
  Effect.gen(function*() {
    const rows = []
    for (let month = 1; month <= 12; month++) {
      yield* Effect.sleep(jitter(3))
      rows.push({ account, month, debit: Math.random() * 1000, credit: Math.random() * 1000 })
    }
    return { account, rows, total: rows.reduce((sum, row) => sum + row.debit - row.credit, 0) }
  })

const startReport = (account) => {
  const fiber = Effect.runFork(renderReport(account))
  started.push(fiber)
  counts.started++
  counts.running++
  fiber.addObserver(() => {
    counts.running--
  })
}

const scheduleNext = (account) => {
  startReport(account)
  setTimeout(scheduleNext, jitter(10), account + 1)
}

scheduleNext(1)
