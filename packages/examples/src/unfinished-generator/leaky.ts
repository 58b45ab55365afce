/**
 * LEAKY: an async generator is read in part and then dropped.
 *
 * A generator that nobody resumes stands at its `yield` for ever and never reaches its `finally`. Here the `finally`
 * takes the rows off the list of open exports, so the list keeps 10 000 rows (80 KB) for each preview. A loop that ends
 * in `break` would have closed the generator; `next()` called by hand does not.
 */
import { Array, Console, Effect, Exit, Schedule } from "effect"
import { parseArgs } from "node:util"

let previews = 0
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

const preview = Effect.fn("preview")(function*() {
  previews++
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

const service = Effect.gen(function*() {
  yield* Console.log("unfinished-generator, leaky: 20 previews a second")
  yield* preview()
  yield* Console.log(`consumed ${consumed} items; generators that did not finish: ${openExports.size}`)
  yield* preview().pipe(Effect.repeat(Schedule.fixed("50 millis")))
})

const summary = Effect.suspend(() =>
  Console.log(`end: ${previews} previews, generators that did not finish: ${openExports.size}`)
)

const { values } = parseArgs({ options: { for: { type: "string", default: "12" } } })

const main = service.pipe(
  Effect.timeoutOption(`${Number(values.for)} seconds`),
  Effect.ensuring(summary),
  Effect.runFork
)

process.once("SIGTERM", () => main.interruptUnsafe())
main.addObserver((exit) => {
  process.exitCode = Exit.hasDies(exit) ? 1 : 0
})
