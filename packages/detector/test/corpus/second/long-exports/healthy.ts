/*
 * Exports take a fifth of the run each. Four are started in a second, and each gathers its rows before it writes them.
 *
 * Why it is healthy: it takes a while until the first has ended; from then on as many end as begin.
 */
import { Array, Effect, Schedule, Stream } from "effect"
import { part } from "../../support/life.ts"

const rows = (table: number) =>
  Stream.range(1, 40).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((row) =>
      Effect.delay(Effect.sync(() => Array.makeBy(60, (column) => table * row + column / 3)), part(0.2) / 40)
    )
  )

let tables = 0

const exportTable = Effect.fn("exportTable")(function*() {
  const all = yield* Stream.runCollect(rows(++tables))
  return all.flat().reduce((sum, cell) => sum + cell, 0)
})

Effect.runFork(exportTable().pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("250 millis")))))
