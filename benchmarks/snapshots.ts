/**
 * `pnpm run bench:snapshots`: the cost of `Snapshots.take` and `Snapshots.compare` with many live fibers, without the garbage collection
 * of a snapshot (`pauseMs`). The goal is at most 100 ms at 100 000 fibers.
 */
import { Console, Effect, Fiber } from "effect"
import { Snapshots } from "../packages/detector/src/Snapshots.ts"

const repetitions = 7

const task = Effect.fn("task")(function*() {
  return yield* Effect.never
})

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

const measure = Effect.fn("measure")(function*(fibers: number) {
  const snapshots = yield* Snapshots
  yield* snapshots.take("start")
  const tasks = yield* Effect.replicateEffect(Effect.forkChild(task(), { startImmediately: true }), fibers)
  const take: Array<number> = []
  const pauses: Array<number> = []
  const compare: Array<number> = []
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now()
    const { pauseMs } = yield* snapshots.take("now")
    const taken = performance.now()
    yield* snapshots.compare("start", "now")
    compare.push(performance.now() - taken)
    take.push(taken - start - pauseMs)
    pauses.push(pauseMs)
  }
  yield* Fiber.interruptAll(tasks)
  const both = median(take) + median(compare)
  yield* Console.log(
    `${String(fibers).padStart(8)} fibers   take ${median(take).toFixed(2).padStart(7)} ms + ${
      median(pauses).toFixed(0).padStart(4)
    } ms of collection   `
      + `compare ${median(compare).toFixed(2).padStart(6)} ms   ${both <= 100 ? "within" : "ABOVE"} 100 ms`
  )
})

const program = Effect.gen(function*() {
  yield* Console.log(`medians of ${repetitions}`)
  for (const fibers of [1000, 10_000, 100_000]) yield* measure(fibers)
})

await Effect.runPromise(Effect.provide(program, Snapshots.layer()))
