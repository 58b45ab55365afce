// Requests to an upstream that is away for six seconds of every sixteen. They are tried again, with growing waits,
// until it is back.
// Healthy: requests pile up while it is away, and all of them end when it is back.
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

const up = () => performance.now() % 16_000 < 10_000

const call = Effect.fn("call")(function*(n) {
  yield* Effect.sleep(20)
  if (!up()) return yield* Effect.fail(new Error(`away ${n}`))
  return n
})

const request = Effect.fn("request")(function*(n) {
  const body = Array.from({ length: 30 }, (_, k) => `${n} ${k} ${Math.random()}`)
  yield* Effect.retry(call(n), Schedule.exponential("100 millis", 1.5))
  return body
})

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* Effect.forkDetach(request(n))
    yield* Effect.sleep(Math.random() * 50)
  }
}))
