// Avatars, drawn on demand and kept in a cache. When it is full, anyone may have to leave.
// Healthy: it holds so many and no more. It is full when about half of the run is over.
import { Effect } from "effect"
import { jitter, seconds } from "../../support/life.ts"

const capacity = Math.round(seconds * 20)
const names = []
const cache = new Map()

function put(name, avatar) {
  if (names.length < capacity) names.push(name)
  else {
    const victim = Math.floor(Math.random() * capacity)
    cache.delete(names[victim])
    names[victim] = name
  }
  cache.set(name, avatar)
}

const draw = (name) => ({ name, strokes: Array.from({ length: 50 }, () => ({ x: Math.random(), y: Math.random() })) })

const handler = (name) =>
  Effect.gen(function*() {
    const known = cache.get(name)
    if (known) return known
    yield* Effect.sleep(jitter(6))
    const avatar = draw(name)
    if (!cache.has(name)) put(name, avatar)
    return avatar
  })

const main = Effect.gen(function*() {
  while (true) {
    const popular = Math.random() < 0.5
    yield* Effect.forkChild(handler(`user ${Math.floor(Math.random() * (popular ? 50 : 1e7))}`))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(main)
