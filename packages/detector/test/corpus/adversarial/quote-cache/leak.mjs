// Quotes in effect's Cache, each under a number of its own and good for two seconds.
// Leak: the cache has no capacity, and what has expired only leaves it when it is asked for again.
import { Cache, Effect } from "effect"
import "../../support/life.ts"

Effect.runFork(Effect.gen(function*() {
  const quotes = yield* Cache.make({
    capacity: Infinity,
    timeToLive: "2 seconds",
    lookup: (key) =>
      Effect.sync(() => ({ key, rows: Array.from({ length: 25 }, (_, i) => `${key}/${i}/${Math.random()}`) }))
  })
  for (let n = 0;; n++) {
    yield* Cache.get(quotes, n)
    yield* Effect.sleep(12)
  }
}))
