/*
 * Log entries are kept for a page that shows the latest of them.
 *
 * What leak.ts does wrong is put right here: the logger keeps the lines of the latest twenty.
 */
import { Effect, Logger, Schedule } from "effect"
import "../../support/life.ts"

const kept: Array<string> = []

const pageLogger = Logger.make((options) => {
  kept.push(`${options.date.toISOString()} ${String(options.message)}`)
  if (kept.length > 20) kept.shift()
})

const latest = () => kept

let transfers = 0

const transfer = Effect.gen(function*() {
  const id = ++transfers
  const accounts = Array.from({ length: 40 }, (_, n) => id * 40 + n)
  yield* Effect.sleep("3 millis")
  yield* Effect.logInfo(`transfer ${id} over ${accounts.length} accounts`, { id, accounts })
})

const page = Effect.repeat(Effect.sync(() => latest().join("\n").length), Schedule.spaced("500 millis"))

const bank = Effect.gen(function*() {
  yield* Effect.forkChild(page)
  yield* transfer.pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("13 millis"))))
})

Effect.runFork(Effect.provide(bank, Logger.layer([pageLogger])))
