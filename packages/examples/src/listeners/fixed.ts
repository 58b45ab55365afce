/**
 * FIXED: a listener belongs to the scope of the request that listens.
 *
 * What changed: `listeners.on` removes the listener when the scope closes, so nobody has to keep a function for that and remember to
 * call it. The warning is on again: it would name `handleRequest` if the scope were one that never closes.
 */
import { Listeners } from "@fiberscope/core/Listeners"
import { Array, Effect } from "effect"
import { EventEmitter } from "node:events"
import { run } from "../run.ts"

// As many as there may be requests at a time: Node warns above that, and `Listeners` does, naming who listens.
const most = 200

const prices = new EventEmitter().setMaxListeners(most)

export const handleRequest = Effect.fn("handleRequest")(function*() {
  const listeners = yield* Listeners
  const quotes = Array.makeBy(128, (n) => n / 2)
  yield* listeners.on(prices, "price", (price: number) => {
    quotes[0] = price
  })
  yield* Effect.sleep("5 millis")
  prices.emit("price", quotes.length)
  return quotes[0]
}, Effect.scoped)

export const services = Listeners.layer({ warnAbove: most })

/** Listeners that are registered; none between requests. */
export const left = (): number => prices.listenerCount("price")

if (import.meta.main) {
  run({
    pattern: "listeners",
    variant: "fixed",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services,
    state: Effect.sync(() => `${left()} listeners are registered`)
  })
}
