/*
 * Log entries are kept for a page that shows the latest of them.
 *
 * What is wrong: the logger keeps all of them, and with each the fiber that wrote it.
 */
import { Effect, Logger, Schedule } from "effect"
import "../../support/life.ts"

const kept: Array<Logger.Options<unknown>> = []

const pageLogger = Logger.make((options) => {
  kept.push(options)
})

const latest = () => kept.slice(-20).map(({ date, message }) => `${date.toISOString()} ${String(message)}`)

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
