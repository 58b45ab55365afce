// A game server. A room opens at random times, for a round of 28 s, with twenty players who have a fiber each. When the
// round is over, the fibers of the room end. Rounds that were under way are restored at the start.
// Healthy: there are some twenty rooms at any time, now a few more, now a few less.
import { Effect, Fiber } from "effect"
import { seconds } from "../../support/life.ts"

const round = 28_000 * seconds / 30

const player = Effect.fn("player")(function*() {
  while (true) yield* Effect.sleep(300 + Math.random() * 300)
})

const room = Effect.fn("room")(function*(left) {
  const players = []
  for (let i = 0; i < 20; i++) players.push(yield* Effect.forkChild(player()))
  yield* Effect.sleep(left)
  yield* Fiber.interruptAll(players)
})

Effect.runFork(Effect.gen(function*() {
  for (let i = 0; i < 20; i++) yield* Effect.forkDetach(room(Math.random() * round))
  while (true) {
    yield* Effect.sleep(-Math.log(Math.random()) * round / 20)
    yield* Effect.forkDetach(room(round))
  }
}))
