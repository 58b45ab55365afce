/**
 * Scores are published to everybody who subscribed: a ticker that shows them, and an archive.
 * Leak: the archive subscribes before it asks for its disk, which never comes, so it takes nothing and the unbounded
 * PubSub keeps every score for it.
 */
import { Effect, PubSub } from "effect"
import { jitter } from "../../support/life.ts"

interface Score {
  readonly match: number
  readonly players: ReadonlyArray<{ readonly name: string; readonly points: number }>
}

const measure = (match: number): Score => ({
  match,
  players: Array.from({ length: 11 }, (_, n) => ({ name: `player ${match % 8}-${n}`, points: Math.random() }))
})

const ticker = Effect.fn("ticker")(function*(scores: PubSub.PubSub<Score>) {
  const subscription = yield* PubSub.subscribe(scores)
  let shown = 0
  while (true) {
    const score = yield* PubSub.take(subscription)
    shown += score.players.length
  }
}, Effect.scoped)

const archive = Effect.fn("archive")(function*(scores: PubSub.PubSub<Score>, disk: Effect.Effect<void>) {
  const subscription = yield* PubSub.subscribe(scores)
  yield* disk
  while (true) yield* PubSub.takeAll(subscription)
}, Effect.scoped)

const publisher = Effect.fn("publisher")(function*(scores: PubSub.PubSub<Score>) {
  for (let match = 1;; match++) {
    yield* PubSub.publish(scores, measure(match))
    yield* Effect.sleep(jitter(10))
  }
})

const diskReady = Effect.never

const program = Effect.gen(function*() {
  const scores = yield* PubSub.unbounded<Score>()
  yield* Effect.forkChild(ticker(scores))
  yield* Effect.forkChild(archive(scores, diskReady))
  return yield* publisher(scores)
})

Effect.runFork(program)
