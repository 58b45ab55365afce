// Events go through a queue without a limit, to a writer that can take a hundred a second. Ninety-five come, at random.
// Healthy: the queue is long at times, and empty again later.
import { Effect, Queue } from "effect"
import "../../support/life.ts"

Effect.runFork(Effect.gen(function*() {
  const events = yield* Queue.unbounded()

  let due = performance.now()
  setInterval(() => {
    due = Math.max(due, performance.now() - 100)
    for (; due < performance.now(); due += -Math.log(Math.random()) * 10.5) {
      Queue.offerUnsafe(events, { id: due, tags: Array.from({ length: 30 }, (_, n) => `${n}:${Math.random()}`) })
    }
  }, 15)

  let free = performance.now()
  while (true) {
    const event = yield* Queue.take(events)
    free = Math.max(free + 10, performance.now() - 100)
    JSON.stringify(event)
    if (free > performance.now()) yield* Effect.sleep(free - performance.now())
  }
}))
