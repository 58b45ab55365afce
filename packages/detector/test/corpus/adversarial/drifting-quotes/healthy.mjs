// Quotes in effect's Cache, with a time to live of six seconds and room for 1500. Which ones are asked for moves on all
// the time: mostly recent ones, now and then an old one.
// Healthy: the cache never holds more than it has room for.
import { Cache, Effect } from "effect"
import "../../support/life.ts"

let n = 0

Effect.runFork(Effect.gen(function*() {
  const cache = yield* Cache.make({
    capacity: 1500,
    timeToLive: "6 seconds",
    lookup: (key) =>
      Effect.sync(() => ({ key, rows: Array.from({ length: 25 }, (_, i) => `${key}/${i}/${Math.random()}`) }))
  })
  while (true) {
    n++
    yield* Cache.get(cache, Math.floor(n / 3) - Math.floor(Math.random() ** 4 * 3000))
    yield* Effect.sleep(3 + Math.random() * 4)
  }
}))
