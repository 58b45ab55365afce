/*
 * A pool of at most 60 connections, each with its buffers and a fiber that keeps it alive. Demand rises during the first
 * third of the run, and the pool with it.
 *
 * Why it is healthy: a pool that is warm does not grow.
 */
import { Effect, Pool, Random, Schedule } from "effect"
import { elapsed } from "../../support/life.ts"

let opened = 0

const connection = Effect.gen(function*() {
  const id = ++opened
  const state = { id, columns: Array.from({ length: 800 }, (_, n) => `connection ${id}, column ${n}`), pings: 0 }
  const ping = Effect.sync(() => {
    state.pings++
  })
  yield* ping.pipe(Effect.repeat(Schedule.spaced("700 millis")), Effect.forkScoped)
  return state
})

const main = Effect.gen(function*() {
  const pool = yield* Pool.makeWithTTL({ acquire: connection, min: 1, max: 60, timeToLive: "1 hour" })

  const query = Effect.scoped(Effect.gen(function*() {
    const { columns } = yield* Pool.get(pool)
    yield* Effect.sleep(100 + 400 * Math.min(elapsed() / 0.33, 1))
    return columns[yield* Random.nextIntBetween(0, columns.length)]
  }))

  yield* query.pipe(Effect.forkChild, Effect.repeat(Schedule.jittered(Schedule.spaced("9 millis"))))
})

Effect.runFork(Effect.scoped(main))
