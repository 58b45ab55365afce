/**
 * FIXED: the generator belongs to a stream, and a stream closes what it opened.
 *
 * What changed: `Stream.fromAsyncIterable` calls the generator's `return()` in a finalizer, so its `finally` runs when `Stream.take` has
 * enough, when the consumer fails and when it is interrupted. The page is all that is left.
 */
import { Array, Effect, Layer, Stream } from "effect"
import { run } from "../run.ts"

let consumed = 0
const openExports = new Set<ReadonlyArray<number>>()

async function* readRows() {
  const rows = Array.range(1, 10_000)
  openExports.add(rows)
  try {
    for (const row of rows) yield row
  } finally {
    openExports.delete(rows)
  }
}

export const preview = Effect.fn("preview")(function*() {
  const page = yield* Stream.suspend(() => Stream.fromAsyncIterable(readRows(), (cause) => cause)).pipe(
    Stream.take(10),
    Stream.runCollect,
    Effect.orDie
  )
  consumed += page.length
  return page
})

/** Generators that did not finish; none between previews. */
export const left = (): number => openExports.size

if (import.meta.main) {
  run({
    pattern: "unfinished-generator",
    variant: "fixed",
    work: preview(),
    called: "preview",
    perSecond: 20,
    first: 1,
    services: Layer.empty,
    state: Effect.sync(() => `${consumed} rows were read, and ${openExports.size} generators did not finish`)
  })
}
