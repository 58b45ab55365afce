/**
 * LEAKY: every request adds a listener to an emitter that outlives it, and never removes it.
 *
 * The emitter keeps each listener, the listener keeps its variables, and every event calls them all: about 1 KB for each request, and a
 * little more time for each event. Node warns above ten listeners; here the warning is turned off, as in many programs.
 */
import { Array, Effect, Layer } from "effect"
import { EventEmitter } from "node:events"
import { run } from "../run.ts"

const prices = new EventEmitter()
prices.setMaxListeners(0)

const handleRequest = Effect.fn("handleRequest")(function*() {
  const quotes = Array.makeBy(128, (n) => n / 2)
  prices.on("price", (price: number) => quotes[0] = price)
  yield* Effect.sleep("5 millis")
  prices.emit("price", quotes.length)
  return quotes[0]
})

if (import.meta.main) {
  run({
    pattern: "listeners",
    variant: "leaky",
    work: handleRequest(),
    called: "request",
    perSecond: 100,
    first: 100,
    services: Layer.empty,
    state: Effect.sync(() => `${prices.listenerCount("price")} listeners are registered`)
  })
}
