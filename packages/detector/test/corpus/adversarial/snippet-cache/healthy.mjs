// Rendered snippets in a cache that gives them a second chance: every quarter of a minute, what was not asked for again
// since it came, or since the last time, is thrown out.
// Healthy: there are 3000 keys, and once it has begun to throw out, between 600 and 2000 snippets.
import { Effect, Schedule } from "effect"
import { seconds } from "../../support/life.ts"

const scale = seconds / 30
const every = 15_500 * scale
const most = 3000 * scale
const cache = new Map()

const key = () => Math.floor(most * Math.random() ** 2)

const render = (id) => ({
  id,
  used: false,
  html: Array.from({ length: 40 }, (_, n) => `<p>${id}-${n}-${Math.random()}</p>`)
})

const lookUp = (id) => {
  const found = cache.get(id)
  if (found === undefined) cache.set(id, render(id))
  else found.used = true
}

const sweep = Effect.sync(() => {
  for (const [id, entry] of cache) {
    if (!entry.used) cache.delete(id)
    entry.used = false
  }
})

const requests = Effect.sync(() => lookUp(key())).pipe(Effect.repeat(Schedule.spaced("5 millis")))
const sweeping = Effect.forever(Effect.andThen(Effect.sleep(every), sweep))

Effect.runFork(Effect.all([requests, sweeping], { concurrency: 2 }))
