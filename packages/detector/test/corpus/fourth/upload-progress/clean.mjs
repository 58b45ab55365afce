// Uploads. While one is being stored, a worker says once a second how far it is.
// The twin of leak.mjs: the worker is a child of the request, and ends with it.
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

let reported = 0

const worker = (upload) =>
  Effect.gen(function*() {
    while (true) {
      yield* Effect.sleep("1 second")
      reported += upload.parts.length
    }
  })

const handler = (id) =>
  Effect.gen(function*() {
    const upload = { id, parts: Array.from({ length: 20 }, (_, n) => `${id}.${n}`) }
    yield* Effect.forkChild(worker(upload))
    yield* Effect.sleep(jitter(100))
    return { id, status: 201 }
  })

const health = Effect.sync(() => ({ status: 200, body: `${reported} parts` }))

const main = Effect.gen(function*() {
  for (let id = 1;; id++) {
    yield* Effect.forkChild(id % 9 === 0 ? handler(id) : health)
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(main)
