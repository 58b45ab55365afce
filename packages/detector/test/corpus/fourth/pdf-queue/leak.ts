// Orders are printed as PDF, one at a time, because the library is not safe for more.
// Leak: more come than can be printed, and whoever cannot have the printer waits for it.
import { Effect, Semaphore } from "effect"
import "../../support/life.ts"

interface Order {
  readonly id: number
  readonly lines: ReadonlyArray<string>
}

const printer = Semaphore.makeUnsafe(1)

const render = (order: Order) =>
  Effect.gen(function*() {
    yield* Effect.sleep(20)
    return order.lines.map((line) => line.padStart(60)).join("\n")
  })

const handler = (id: number) =>
  Effect.gen(function*() {
    const order = { id, lines: Array.from({ length: 40 }, (_, n) => `${id}.${n}`) }
    const pdf = yield* printer.withPermits(1)(render(order))
    return pdf.length
  })

let id = 0
setInterval(() => Effect.runFork(handler(++id)), 12)
