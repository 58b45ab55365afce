/*
 * While the service answers as always, a migration reads all old records, rewrites them and lets them go. It takes the
 * first 45 % of the run and holds everything until it is through.
 *
 * Why it is healthy: it happens once.
 */
import { Effect, Schedule } from "effect"
import { part } from "../../support/life.ts"

interface Account {
  readonly id: number
  readonly owner: string
  readonly history: ReadonlyArray<{ readonly at: number; readonly cents: number }>
}

const chunks = 120

const readChunk = (chunk: number): ReadonlyArray<Account> =>
  Array.from({ length: 25 }, (_, n) => ({
    id: chunk * 25 + n,
    owner: `owner of ${chunk}/${n}`,
    history: Array.from({ length: 20 }, (_, at) => ({ at, cents: at * n }))
  }))

const migrate = Effect.gen(function*() {
  const read: Array<Account> = []
  for (let chunk = 0; chunk < chunks; chunk++) {
    read.push(...readChunk(chunk))
    yield* Effect.sleep(part(0.45) / chunks)
  }
  const owners = new Set(read.map(({ owner }) => owner))
  yield* Effect.logDebug(`${read.length} accounts of ${owners.size} owners migrated`)
}).pipe(Effect.withSpan("migrate"))

const request = Effect.fn("request")(function*() {
  const answer = Array.from({ length: 40 }, (_, n) => ({ n, text: `line ${n}` }))
  yield* Effect.sleep("5 millis")
  return JSON.stringify(answer).length
})

Effect.runFork(migrate)
Effect.runFork(request().pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("11 millis")))))
