// feature flags by visitor, least recently used first out
// what is evicted leaves the list on both sides
import * as Effect from "effect/Effect"
import "../../support/life.ts"

function lru(capacity) {
  const index = new Map()
  let newest, oldest
  return {
    get: (key) => index.get(key)?.value,
    set(key, value) {
      const node = { key, value, prev: newest, next: undefined }
      if (newest) newest.next = node
      newest = node
      oldest ??= node
      index.set(key, node)
      if (index.size > capacity) {
        const gone = oldest
        oldest = gone.next
        gone.next = undefined
        if (oldest) oldest.prev = undefined
        index.delete(gone.key)
      }
    }
  }
}

const cache = lru(200)

const evaluate = (visitor) => Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`f${n}`, `${visitor}-${n}`]))

const flags = (visitor) =>
  Effect.flatMap(Effect.sleep(2), () =>
    Effect.sync(() => {
      const known = cache.get(visitor)
      if (known) return known
      const fresh = evaluate(visitor)
      cache.set(visitor, fresh)
      return fresh
    }))

let visitors = 0
setInterval(() => {
  const visitor = Math.random() < 0.75 ? ++visitors : Math.max(1, visitors - Math.floor(Math.random() * 100))
  Effect.runFork(flags(visitor))
}, 12)
