// Traffic rises from 15 to 120 requests a second during the first half of the run and stays there. Healthy: there are
// more fibers because there are more requests, and each of them is over in about half a second.
import { Effect } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const request = (id) =>
  Effect.gen(function*() {
    const basket = Array.from({ length: 80 }, (_, n) => ({ article: id * 100 + n, price: Math.random() }))
    yield* Effect.sleep(jitter(500))
    return basket.reduce((sum, line) => sum + line.price, 0)
  })

const rate = () => 15 + 105 * Math.min(elapsed() / 0.5, 1)

const next = (id) => {
  Effect.runFork(request(id))
  setTimeout(next, jitter(1000 / rate()), id + 1)
}

next(1)
