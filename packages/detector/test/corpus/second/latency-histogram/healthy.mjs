/*
 * Latencies are counted in buckets of a thousandth each, and each bucket keeps the last six examples. Slower requests
 * come later: a new cache is being warmed for the first 45 % of the run.
 *
 * Why it is healthy: there are 120 buckets, and no bucket keeps more than six.
 */
import { Effect } from "effect"
import { elapsed } from "../../support/life.ts"

class Histogram {
  #buckets = new Map()

  record(value, example) {
    const bound = Math.min(119, Math.floor(value * 120))
    let bucket = this.#buckets.get(bound)
    if (bucket === undefined) this.#buckets.set(bound, bucket = { count: 0, examples: [] })
    bucket.count++
    if (bucket.count % 4 === 0) bucket.examples.push(example)
    if (bucket.examples.length > 6) bucket.examples.shift()
  }
}

const histogram = new Histogram()

const request = (n) =>
  Effect.gen(function*() {
    yield* Effect.sleep(3)
    const slowest = Math.min(elapsed() / 0.45, 1)
    histogram.record(Math.random() * slowest, {
      path: `/things/${n}`,
      headers: Object.fromEntries(Array.from({ length: 12 }, (_, h) => [`x-${h}`, `${n}-${h}`]))
    })
  })

let n = 0
setInterval(() => Effect.runFork(request(++n)), 5)
