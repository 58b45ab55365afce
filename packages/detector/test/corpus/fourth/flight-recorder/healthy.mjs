// A flight recorder: the last 250 pieces of what the sensors said, in a ring.
// Healthy: the ring is once around before half of the run, and then new pieces take the places of old ones.
import { Effect } from "effect"
import { part } from "../../support/life.ts"

class Ring {
  #slots = []
  #next = 0

  constructor(size) {
    this.size = size
  }

  write(piece) {
    this.#slots[this.#next++ % this.size] = piece
  }

  peak() {
    return this.#slots.reduce((peak, slot) => Math.max(peak, slot[0]), 0)
  }
}

const ring = new Ring(250)

const sample = Effect.sync(() => {
  const piece = new Float32Array(4096)
  for (let n = 0; n < piece.length; n += 16) piece[n] = Math.random()
  ring.write(piece)
})

const record = Effect.forever(Effect.delay(sample, part(0.4) / 250))
const alarm = Effect.forever(Effect.delay(Effect.sync(() => ring.peak() > 0.999), 100))

Effect.runFork(Effect.all([record, alarm], { concurrency: 2 }))
