// Visitors of a shop, with a fiber each that waits until they have been away for long enough: a third of the run.
// Healthy: from then on as many sessions end as begin. A visitor who comes back gets a new fiber for the old one.
import { Effect, FiberMap } from "effect"
import { jitter, part } from "../../support/life.ts"

const session = (visitor: number) =>
  Effect.gen(function*() {
    const basket = Array.from({ length: 12 }, (_, n) => ({ article: `${visitor}-${n}`, pieces: 1 + (n % 3) }))
    yield* Effect.sleep(part(0.33))
    return basket.reduce((sum, { pieces }) => sum + pieces, 0)
  })

const page = Effect.gen(function*() {
  yield* Effect.sleep(jitter(10))
  return JSON.stringify(Array.from({ length: 100 }, (_, n) => ({ n, price: Math.random() }))).length
})

Effect.runFork(Effect.scoped(Effect.gen(function*() {
  const sessions = yield* FiberMap.make<number>()
  let visitors = 0
  for (let n = 1;; n++) {
    if (n % 16 === 0) {
      const visitor = Math.random() < 0.7 ? ++visitors : Math.max(1, visitors - Math.floor(Math.random() * 5))
      yield* FiberMap.run(sessions, visitor, session(visitor))
    }
    yield* Effect.forkChild(page)
    yield* Effect.sleep(jitter(12))
  }
})))
