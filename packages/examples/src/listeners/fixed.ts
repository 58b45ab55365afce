/**
 * FIXED: a listener belongs to the scope of the request that adds it.
 *
 * The change: `listeners.on` removes the listener when the scope closes, so there is no function to keep and to call for that. The
 * warning is on again: it would name `handleRequest` if the scope never closed.
 */
import { Listeners } from "@fiberscope/core/Listeners"
import { Array, Effect } from "effect"
import { EventEmitter } from "node:events"
import { run } from "../run.ts"

// The most requests at a time. Above it, Node warns, and `Listeners` warns and names the code that listens.
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

/** The number of registered listeners; 0 between requests. */
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
