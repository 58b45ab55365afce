/**
 * Forks fibers that end, leaks some in every turn, and ends with 3 after so many turns. Without an argument after the folder of effect
 * it prints how many fibers it has started itself. It runs on every effect since 4.0.0-beta.35, where some functions had other names.
 */
import { pathToFileURL } from "node:url"

const [effect, turns = "20"] = process.argv.slice(2)
const { Effect, Fiber } = await import(pathToFileURL(effect).href)
const forkChild = Effect.forkChild ?? Effect.fork
const forkDetach = Effect.forkDetach ?? Effect.forkDaemon

let started = 0
const work = Effect.fn("work")(function*(n) {
  started++
  yield* Effect.sleep(5)
  return n
})
const forget = Effect.fn("forget")(function*() {
  yield* forkDetach(Effect.suspend(() => {
    started++
    return Effect.sleep(3_600_000)
  }))
})
const main = Effect.gen(function*() {
  started++
  for (let i = 0; i < Number(turns); i++) {
    const fiber = yield* forkChild(work(i))
    yield* forget()
    yield* Fiber.join(fiber)
    yield* Effect.sleep(20)
  }
})
await Effect.runPromise(main)
console.log(started)
process.exit(3)
