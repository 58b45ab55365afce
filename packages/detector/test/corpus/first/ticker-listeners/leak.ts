/**
 * A page waits for the next tick of the exchange and is answered with it.
 * Leak: the listener is added with `on`, fires once for its page, and stays on the exchange with all it refers to.
 */
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import { jitter } from "../../support/life.ts"

interface Tick {
  readonly symbol: string
  readonly price: number
}

const exchange = new EventEmitter<{ readonly tick: [Tick] }>().setMaxListeners(0)

setInterval(() => exchange.emit("tick", { symbol: "CHF", price: Math.random() }), 100)

const nextTickFor = (page: ReadonlyArray<number>) =>
  Effect.callback<number>((resume) => {
    exchange.on("tick", (tick) => resume(Effect.succeed(tick.price * page.length)))
  })

const render = Effect.fn("render")(function*(n: number) {
  const page = Array.from({ length: 100 }, (_, i) => n + i / 3)
  const value = yield* nextTickFor(page)
  return value * page[0]!
})

const program = Effect.gen(function*() {
  for (let n = 1;; n++) {
    yield* Effect.forkChild(render(n))
    yield* Effect.sleep(jitter(12))
  }
})

Effect.runFork(program)
