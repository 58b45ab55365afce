// A search in an index of 900,000 words, which is built at the start.
// Leak: the hits of each search are kept, under a number that never comes again.
import { Effect } from "effect"
import "../../support/life.ts"

const index = Array.from({ length: 900_000 }, (_, n) => ({ n, word: `w${n}`, at: [n, n + 1, n * 2], w: Math.random() }))
const answers = new Map()

const search = (q) => {
  const hits = []
  for (let i = q % 1000; i < index.length; i += 15_000) hits.push({ ...index[i], q: `${q}-${i}` })
  answers.set(q, hits)
}

Effect.runFork(Effect.gen(function*() {
  for (let q = 0;; q++) {
    search(q)
    yield* Effect.sleep(25)
  }
}))
