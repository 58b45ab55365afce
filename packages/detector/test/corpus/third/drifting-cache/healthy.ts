/*
 * News. What is read today is not what was read yesterday: readers move on through the articles, and a ScopedCache of
 * 600 renderings moves on with them. A rendering holds on to its photographs, and releases them when it is dropped.
 *
 * Why it is healthy: it is full after some 45 % of the run; from then on one goes for each that comes.
 */
import { Effect, ScopedCache } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const photographs = new Map<string, Array<number>>()

const render = (article: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const name = `photograph of ${article}`
      photographs.set(name, Array.from({ length: 250 }, Math.random))
      return { name, html: `<h1>${article}</h1>` + "<p>".repeat(400) }
    }),
    ({ name }) => Effect.sync(() => photographs.delete(name))
  )

const newspaper = Effect.gen(function*() {
  const cache = yield* ScopedCache.make({ capacity: 600, lookup: render })
  while (true) {
    const newest = Math.floor(elapsed() * 1350)
    const article = Math.max(0, newest - Math.floor(Math.random() ** 2 * 80))
    yield* ScopedCache.get(cache, article)
    yield* Effect.sleep(jitter(11))
  }
})

Effect.runFork(Effect.scoped(newspaper))
