/**
 * A small service that checks an account every few seconds, amid ordinary traffic.
 * The twin of leak.ts: a watcher waits for a second.
 */
import { Effect, Queue } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Correction {
  readonly account: number
  readonly cents: number
}

const watch = Effect.fn("Audit.watch")(function*(corrections: Queue.Dequeue<Correction>, account: number) {
  const correction = yield* Queue.take(corrections)
  return correction.cents - account
})

const check = Effect.fn("Audit.check")(function*(corrections: Queue.Dequeue<Correction>, account: number) {
  yield* Effect.forkDetach(Effect.timeoutOption(watch(corrections, account), "1 second"))
})

const answer = Effect.fn("answer")(function*(n: number) {
  yield* Effect.sleep(jitter(5))
  return JSON.stringify({ n, values: Array.from({ length: 50 }, Math.random) }).length
})

const traffic = Effect.gen(function*() {
  for (let n = 1;; n++) {
    yield* Effect.forkChild(answer(n))
    yield* Effect.sleep(jitter(10))
  }
})

const program = Effect.gen(function*() {
  const corrections = yield* Queue.unbounded<Correction>()
  yield* Effect.forkChild(traffic)
  for (let account = 1;; account++) {
    yield* check(corrections, account)
    yield* Effect.sleep(jitter(part(1 / 6)))
  }
})

Effect.runFork(program)
