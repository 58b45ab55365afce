// dashboards listen to prices for as long as they are open; an alarm waits for one price, or for the dashboard to close
// healthy: thirty dashboards are open; each takes its listeners away when it is closed
import { Effect } from "effect"
import { EventEmitter, setMaxListeners } from "node:events"
import { jitter, part } from "../../support/life.ts"

const prices = new EventEmitter().setMaxListeners(0)
const clock = new EventTarget()
setMaxListeners(0, clock)

const listen = (symbol, f) =>
  Effect.acquireRelease(
    Effect.sync(() => prices.on(symbol, f)),
    () => Effect.sync(() => prices.off(symbol, f))
  )

const alarm = (symbol, limit) =>
  Effect.callback((resume) => {
    const check = (price) => {
      if (price < limit) return
      prices.off(symbol, check)
      resume(Effect.succeed(price))
    }
    prices.on(symbol, check)
    return Effect.sync(() => prices.off(symbol, check))
  })

const dashboard = (id) =>
  Effect.gen(function*() {
    const charts = [id % 20, (id * 3 + 1) % 20, (id * 7 + 2) % 20]
    for (const symbol of charts) {
      const points = []
      yield* listen(`s${symbol}`, (price) => {
        points.push({ price, text: `${symbol}: ${price}` })
        if (points.length > 25) points.shift()
      })
    }
    const signal = yield* Effect.abortSignal
    let ticks = 0
    clock.addEventListener("tick", () => ticks++, { signal })
    yield* Effect.forkScoped(alarm(`s${charts[0]}`, 99.5))
    yield* Effect.sleep(jitter(part(0.06)))
  }).pipe(Effect.scoped)

setInterval(() => clock.dispatchEvent(new Event("tick")), 500)

Effect.runFork(Effect.gen(function*() {
  yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
    prices.emit(`s${Math.floor(Math.random() * 20)}`, Math.random() * 100)
    yield* Effect.sleep(jitter(14))
  })))
  for (let id = 0;; id++) {
    yield* Effect.forkChild(dashboard(id))
    yield* Effect.sleep(jitter(part(0.06) / 30))
  }
}))
