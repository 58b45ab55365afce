/**
 * Files arrive, are opened, read and closed again: a stream that runs as long as the service does.
 *
 * Each file has a scope of its own, and is closed when it has been read.
 */
import { Effect, PubSub, Schedule, Stream } from "effect"
import "../../support/life.ts"

class CsvFile {
  readonly name: string
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  closed = false

  constructor(name: string) {
    this.name = name
    this.rows = Array.from({ length: 20 }, (_, row) => [`${name}:${row}`, `${Math.random()}`])
  }

  close() {
    this.closed = true
  }
}

const openFile = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new CsvFile(name)),
    (file) => Effect.sync(() => file.close())
  )

const importFile = (name: string) =>
  Effect.gen(function*() {
    const file = yield* openFile(name)
    yield* Effect.sleep("4 millis")
    return file.rows.filter(([id]) => id?.endsWith("7")).length
  }).pipe(Effect.scoped, Effect.withSpan("import-file"))

const main = Effect.gen(function*() {
  const arrivals = yield* PubSub.bounded<string>(64)
  let files = 0

  yield* Effect.suspend(() => PubSub.publish(arrivals, `orders-${++files}.csv`)).pipe(
    Effect.repeat(Schedule.jittered(Schedule.spaced("24 millis"))),
    Effect.forkScoped
  )

  yield* Stream.fromPubSub(arrivals).pipe(
    Stream.mapEffect(importFile, { concurrency: 3 }),
    Stream.runDrain
  )
})

Effect.runFork(Effect.scoped(main))
