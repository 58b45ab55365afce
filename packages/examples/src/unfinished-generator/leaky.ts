/**
 * LEAKY: an async generator is not read to its end.
 *
 * A generator that is not resumed waits at its `yield` forever and never reaches its `finally`. Here the `finally` removes the rows from
 * the list of open exports, so the list keeps 10 000 rows (80 KB) for each preview. A `for await` loop with `break` would close the
 * generator; calling `next()` by hand does not.
 */
import { Array, Effect, Layer } from "effect"
import { setTimeout } from "node:timers/promises"
import { run } from "../run.ts"

let consumed = 0
const openExports = new Set<ReadonlyArray<number>>()

async function* readRows() {
  const rows = Array.range(1, 10_000)
  openExports.add(rows)
  try {
    for (const row of rows) {
      yield row
      await setTimeout(1)
    }
  } finally {
    openExports.delete(rows)
  }
}

const preview = Effect.fn("preview")(function*() {
  const generator = readRows()
  const page: Array<number> = []
  while (page.length < 10) {
    const next = yield* Effect.promise(() => generator.next())
    if (next.done === true) break
    page.push(next.value)
  }
  consumed += page.length
  return page
})

if (import.meta.main) {
  run({
    pattern: "unfinished-generator",
    variant: "leaky",
    work: preview(),
    called: "preview",
    perSecond: 20,
    first: 1,
    services: Layer.empty,
    state: Effect.sync(() => `${consumed} rows were read, and ${openExports.size} generators did not finish`)
  })
}
