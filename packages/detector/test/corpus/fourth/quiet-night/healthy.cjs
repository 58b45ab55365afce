// A service at night: it reads its tables when it starts, and then waits for visitors, who are few.
// Healthy: what it has read stays, and hardly anything is added or taken away.
const { Effect, Schedule } = require("effect")
const { jitter } = require("../../support/life.ts")

const tables = new Map()

const readTable = (name) =>
  Effect.gen(function*() {
    yield* Effect.sleep(jitter(20))
    const rows = JSON.parse(JSON.stringify(Array.from({ length: 500 }, (_, n) => ({ n, text: `${name} ${n}` }))))
    tables.set(name, new Map(rows.map((row) => [row.text, row])))
  })

let visits = 0

const visit = Effect.gen(function*() {
  visits++
  yield* Effect.sleep(5)
  return tables.get(`table-${visits % 30}`)?.size
})

const main = Effect.gen(function*() {
  yield* Effect.forEach(Array.from({ length: 30 }, (_, n) => `table-${n}`), readTable, { concurrency: 5 })
  yield* Effect.forkChild(Effect.repeat(Effect.sync(() => tables.size), Schedule.spaced("1 second")))
  yield* Effect.repeat(visit, Schedule.jittered(Schedule.spaced("800 millis")))
})

Effect.runFork(main)
