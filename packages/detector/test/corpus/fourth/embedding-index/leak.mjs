// A search index of vectors, one for each document. Documents are changed all the time.
// Leak: the old vector of a changed document is only marked as deleted, and nothing takes its place.
import { Effect, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

class VectorIndex {
  #vectors = []
  #slots = new Map()
  #deleted = new Set()

  upsert(id, embedding) {
    const old = this.#slots.get(id)
    if (old !== undefined) this.#deleted.add(old)
    this.#slots.set(id, this.#vectors.push(embedding) - 1)
  }

  nearest(query) {
    let best, distance = Infinity
    for (const [id, slot] of this.#slots) {
      const vector = this.#vectors[slot]
      let sum = 0
      for (let n = 0; n < 64; n++) sum += (vector[n] - query[n]) ** 2
      if (sum < distance && !this.#deleted.has(slot)) [best, distance] = [id, sum]
    }
    return best
  }
}

const index = new VectorIndex()

const embed = (text) => {
  const vector = new Float32Array(768)
  for (let n = 0; n < vector.length; n++) vector[n] = Math.sin(n * text.length + Math.random())
  return vector
}

const change = (n) =>
  Effect.gen(function*() {
    yield* Effect.sleep(jitter(4))
    index.upsert(`doc-${n % 90}`, embed(`revision ${n}`))
  })

const search = Effect.sync(() => index.nearest(embed("a question")))

const main = Effect.gen(function*() {
  yield* Effect.forkChild(Effect.repeat(search, Schedule.spaced(25)))
  for (let n = 0;; n++) {
    yield* change(n)
    yield* Effect.sleep(jitter(20))
  }
})

Effect.runFork(main)
