/**
 * FIXED: the generator belongs to a stream, and a stream closes what it opened.
 *
 * What changed: `Stream.fromAsyncIterable` calls the generator's `return()` in a finalizer, so its `finally` runs when
 * `Stream.take` has enough, when the consumer fails and when it is interrupted. The page is all that is left.
 */
import { Array, Console, Effect, Exit, Schedule, Stream } from "effect"
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
  const page = yield* Stream.suspend(() => Stream.fromAsyncIterable(readRows(), (cause) => cause)).pipe(
    Stream.take(10),
    Stream.runCollect,
    Effect.orDie
  )
  consumed += page.length
  return page
})

const service = Effect.gen(function*() {
  yield* Console.log("unfinished-generator, fixed: 20 previews a second")
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
