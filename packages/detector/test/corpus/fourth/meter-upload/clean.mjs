// Meters send readings, which are sent on over a line that takes some ten a second.
// The twin of leak.mjs: what the line cannot take waits in a buffer of the latest fifty.
import { Effect, Queue, Stream } from "effect"
import { EventEmitter } from "node:events"
import "../../support/life.ts"

const meters = new EventEmitter()

let n = 0
setInterval(() =>
  meters.emit("reading", {
    meter: ++n % 300,
    phases: Array.from({ length: 90 }, (_, phase) => 230 + Math.sin(n + phase))
  }), 10)

Effect.runFork(
  Stream.callback((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const listener = (reading) => Queue.offerUnsafe(queue, reading)
        meters.on("reading", listener)
        return listener
      }),
      (listener) => Effect.sync(() => meters.off("reading", listener))
    ), { bufferSize: 50, strategy: "sliding" }).pipe(
      Stream.filter(({ meter }) => meter !== 13),
      Stream.runForEach(({ meter, phases }) =>
        Effect.delay(Effect.sync(() => `${meter}: ${phases.reduce((a, b) => a + b, 0).toFixed(2)}`), 100)
      )
    )
)
