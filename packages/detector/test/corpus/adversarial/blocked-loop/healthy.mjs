// Sessions of up to three and a half seconds, some fifty a second. Every four to six seconds something is computed at
// once, and nothing else happens in this thread for one to three seconds.
// Healthy: sessions end as soon as they can.
import { Effect } from "effect"
import "../../support/life.ts"

const sessions = Effect.gen(function*() {
  while (true) {
    yield* Effect.forkDetach(Effect.gen(function*() {
      const rows = Array.from({ length: 100 }, (_, n) => ({ n, v: Math.random() }))
      yield* Effect.sleep(500 + Math.random() * 3000)
      return rows.length
    }))
    yield* Effect.sleep(20)
  }
})

const blocking = Effect.gen(function*() {
  while (true) {
    yield* Effect.sleep(4000 + Math.random() * 2000)
    const end = performance.now() + 1000 + Math.random() * 2000
    let x = 0
    while (performance.now() < end) x += Math.sqrt(x + 1)
    if (x < 0) console.log(x)
  }
})

Effect.runFork(Effect.all([sessions, blocking], { concurrency: 2 }))
