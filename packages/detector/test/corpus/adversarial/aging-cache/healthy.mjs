// Results in a cache that counts how often each is asked for. Every 14 s the counts are halved, and what has none left
// is dropped.
// Healthy: there are 5000 keys, some far more popular than others, and the unpopular ones go each time.
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

const cache = new Map()

const compute = (key) => Array.from({ length: 60 }, (_, n) => `${key}:${n}:${Math.random()}`)

const get = (key) => {
  let entry = cache.get(key)
  if (entry === undefined) cache.set(key, entry = { value: compute(key), count: 0 })
  entry.count++
  return entry.value
}

const age = Effect.sync(() => {
  for (const [key, entry] of cache) {
    if ((entry.count >>= 1) === 0) cache.delete(key)
  }
})

const requests = Effect.sync(() => get(Math.floor(5000 * Math.random() ** 3))).pipe(
  Effect.repeat(Schedule.spaced("6 millis"))
)

Effect.runFork(Effect.all([requests, age.pipe(Effect.repeat(Schedule.spaced("14 seconds")))], { concurrency: 2 }))
