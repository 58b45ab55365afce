/**
 * FIXED: the generator belongs to a stream, which closes it. There are three ways to read a part of it.
 *
 * The change: `fromGenerator` calls the generator's `return()` when the scope of the stream closes, so its `finally` runs whether the
 * reader has enough, fails or is interrupted. The signal wakes a generator that waits at that moment. A generator that does not end in
 * time is abandoned and named, so it does not block its reader forever.
 */
import * as ManagedStream from "@fiberscope/core/ManagedStream"
import { Array, Effect, Scope, Stream } from "effect"
import { setTimeout } from "node:timers/promises"
import { run } from "../run.ts"

let previews = 0
let consumed = 0
const openExports = new Set<ReadonlyArray<number>>()

async function* readRows(signal: AbortSignal) {
  const rows = Array.range(1, 10_000)
  openExports.add(rows)
  try {
    for (const row of rows) {
      yield row
      await setTimeout(1, undefined, { signal })
    }
  } finally {
    openExports.delete(rows)
  }
}

const rows = Stream.unwrap(
  Effect.map(ManagedStream.ManagedStream, (streams) => streams.fromGenerator("rows", readRows))
)

/** Reads with `Stream.take`: the stream ends after ten rows, and its scope closes. */
const firstPage = Effect.fn("firstPage")(function*() {
  return yield* Stream.runCollect(Stream.take(rows, 10))
})

/** Reads with a scope that is closed by hand, for a reader that pulls at its own pace and knows when it is done. */
const pageByHand = Effect.fn("pageByHand")(function*() {
  return yield* Effect.acquireUseRelease(
    Scope.make(),
    Effect.fnUntraced(function*(scope) {
      const pull = yield* Scope.provide(Stream.toPull(rows), scope)
      const page: Array<number> = []
      while (page.length < 10) page.push(...yield* pull)
      return page
    }),
    Scope.close
  )
})

/** Reads all rows that arrive within 20 milliseconds. */
const pageInTime = Effect.fn("pageInTime")(function*() {
  return yield* rows.pipe(
    ManagedStream.bounded({ label: "rows", maxDuration: "20 millis" }),
    Stream.catchTag("StreamExceeded", () => Stream.empty),
    Stream.runCollect
  )
})

const ways = [firstPage, pageByHand, pageInTime]

const preview = Effect.fn("preview")(function*() {
  const page = yield* ways[previews++ % ways.length]!()
  consumed += page.length
  return page
})

if (import.meta.main) {
  run({
    pattern: "unfinished-generator",
    variant: "fixed",
    work: preview(),
    called: "preview",
    perSecond: 20,
    first: 1,
    services: ManagedStream.ManagedStream.layer(),
    state: Effect.sync(() => `${consumed} rows were read, and ${openExports.size} generators did not finish`)
  })
}
