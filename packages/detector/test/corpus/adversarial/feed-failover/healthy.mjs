// A gateway with 240 subscribers. All the time the feed is rolled over from one upstream to the other: subscribers are
// moved one by one, seven a second, each by interrupting its fiber and forking one that follows the other upstream.
// Healthy: there are 240 of these fibers at any time. Each is replaced after some 35 s.
import { Effect, Fiber } from "effect"
import { seconds } from "../../support/life.ts"

const clients = 240 * seconds / 30
const subscribers = new Map()

const blue = Effect.fn("Blue.follow")(function*(id) {
  while (true) yield* Effect.sleep(400 + (id % 7) * 30)
})

const green = Effect.fn("Green.follow")(function*(id) {
  while (true) yield* Effect.sleep(400 + (id % 7) * 30)
})

const subscribe = Effect.fn("Gateway.subscribe")(function*(id, upstream) {
  const before = subscribers.get(id)
  if (before !== undefined) yield* Fiber.interrupt(before)
  subscribers.set(id, yield* Effect.forkDetach(upstream(id)))
})

const gateway = Effect.gen(function*() {
  for (let id = 0; id < clients; id++) yield* subscribe(id, blue)
  for (let turn = 1;; turn++) {
    for (let id = 0; id < clients; id++) {
      yield* Effect.sleep(140)
      yield* subscribe(id, turn % 2 === 1 ? green : blue)
    }
  }
})

Effect.runFork(gateway)
