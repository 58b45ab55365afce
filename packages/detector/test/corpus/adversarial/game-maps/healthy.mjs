// A game server that keeps the map of each round, of 3000 hills, until the round is over, after 28 s. Rounds begin at
// random times, and those that were under way are restored at the start.
// Healthy: there are some twenty maps at any time, now a few more, now a few less.
import { Effect } from "effect"
import { seconds } from "../../support/life.ts"

const round = 28_000 * seconds / 30
const maps = new Map()

const drawMap = (id) => Array.from({ length: 3000 }, (_, n) => ({ id, n, name: `hill ${n} ${Math.random()}` }))

let last = 0

const room = (left) =>
  Effect.gen(function*() {
    const id = ++last
    maps.set(id, drawMap(id))
    yield* Effect.sleep(left)
    maps.delete(id)
  })

Effect.runFork(Effect.gen(function*() {
  for (let i = 0; i < 20; i++) yield* Effect.forkDetach(room(Math.random() * round))
  while (true) {
    yield* Effect.sleep(-Math.log(Math.random()) * round / 20)
    yield* Effect.forkDetach(room(round))
  }
}))
