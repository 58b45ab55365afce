// routes are planned by promises that can be aborted; whoever asks for a route that was planned not long ago shares it
// healthy: an LRU of 220 routes, full after some seconds, which forgets one for each that it learns
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const routes = new Map()

async function plan(from, to, signal) {
  const stops = Array.from({ length: 50 }, (_, n) => ({ n, name: `stop ${n} from ${from} to ${to}` }))
  await Effect.runPromise(Effect.sleep(jitter(10)), { signal })
  return stops.filter(({ n }) => n % 2 === (from + to) % 2)
}

function route(from, to) {
  const key = `${from}-${to}`
  const known = routes.get(key)
  if (known !== undefined) {
    routes.delete(key)
    routes.set(key, known)
    return known.stops
  }
  const controller = new AbortController()
  const stops = plan(from, to, controller.signal).catch(() => {
    routes.delete(key)
    return []
  })
  routes.set(key, { stops, controller })
  if (routes.size > 220) {
    const [oldest, { controller }] = routes.entries().next().value
    routes.delete(oldest)
    controller.abort()
  }
  return stops
}

async function answer() {
  const start = performance.now()
  const stops = await route(Math.floor(Math.random() * 40), Math.floor(Math.random() * 40))
  return { millis: performance.now() - start, stops: stops.map(({ name }) => name).join() }
}

const traveller = () => {
  void answer()
  setTimeout(traveller, jitter(14))
}
traveller()
