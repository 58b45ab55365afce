// Recently viewed pages stay in a cache of 300 entries that evicts the least recently used. Healthy: it is full after a
// few seconds; from then on each page that comes in puts another one out.
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const capacity = 300
const pages = new Map()

const remember = (key, page) => {
  pages.set(key, page)
  if (pages.size > capacity) pages.delete(pages.keys().next().value)
}

const view = (key) =>
  Effect.gen(function*() {
    const known = pages.get(key)
    if (known !== undefined) {
      pages.delete(key)
      pages.set(key, known)
      return known
    }
    yield* Effect.sleep(jitter(5))
    const page = { key, blocks: Array.from({ length: 40 }, (_, n) => `block ${n} of page ${key}`) }
    remember(key, page)
    return page
  })

let newest = 0

const visitor = () => {
  const key = Math.random() < 0.7 ? ++newest : Math.max(1, newest - Math.floor(Math.random() * 200))
  Effect.runFork(view(key))
  setTimeout(visitor, jitter(10))
}

visitor()
