/*
 * A circuit breaker in front of each upstream: after five failures in a row it does not ask again for a while.
 *
 * What is wrong: the breakers are kept by URL, and the URL has the number of the parcel in it.
 */
import { Data, Effect, Schedule } from "effect"
import "../../support/life.ts"

class Unreachable extends Data.TaggedError("Unreachable") {}

class Breaker {
  failures = []
  latencies = new Float64Array(64).fill(0)
  calls = 0
  openUntil = 0

  constructor(key) {
    this.key = key
    this.labels = { key, state: "closed", since: new Date().toISOString() }
  }

  note(milliseconds, failed) {
    this.latencies[this.calls++ % this.latencies.length] = milliseconds
    if (!failed) return void (this.failures.length = 0)
    this.failures.push({ at: performance.now(), milliseconds })
    if (this.failures.length >= 5) this.openUntil = performance.now() + 1000
  }
}

const breakers = new Map()

const keyOf = (url) => url

const breakerFor = (url) => {
  const key = keyOf(url)
  if (!breakers.has(key)) breakers.set(key, new Breaker(key))
  return breakers.get(key)
}

const track = (parcel) => {
  const url = `https://carrier-${parcel % 5}.example/parcels/${parcel}`
  const breaker = breakerFor(url)
  if (breaker.openUntil > performance.now()) return Effect.fail(new Unreachable())
  const milliseconds = 2 + Math.random() * 10
  const failed = Math.random() < 0.1
  return Effect.sleep(milliseconds).pipe(
    Effect.tap(() => Effect.sync(() => breaker.note(milliseconds, failed))),
    Effect.andThen(failed ? Effect.fail(new Unreachable()) : Effect.succeed({ parcel, at: "depot" }))
  )
}

let parcel = 0

const customer = Effect.suspend(() => track(++parcel)).pipe(
  Effect.retry(Schedule.recurs(1)),
  Effect.ignore,
  Effect.repeat(Schedule.jittered(Schedule.spaced("35 millis")))
)

for (let n = 0; n < 4; n++) Effect.runFork(customer)
