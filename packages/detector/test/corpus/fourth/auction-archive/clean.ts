/**
 * Bids of an auction are published to a board, and to an archive on a slow disk.
 *
 * The twin of leak.ts: the archive writes all bids that there are at once.
 */
import { Effect, Layer, PubSub } from "effect"
import { jitter } from "../../support/life.ts"
import { Bid } from "./Bid.ts"
import { Board } from "./Board.ts"

const write = Effect.fn("Archive.write")(function*(bids: ReadonlyArray<Bid>) {
  yield* Effect.sleep("20 millis")
  return bids.reduce((size, bid) => size + bid.seen.length, 0)
})

const archive = Effect.fn("Auction.archive")(function*(hub: PubSub.PubSub<Bid>) {
  const bids = yield* PubSub.subscribe(hub)
  while (true) {
    yield* write(yield* PubSub.takeAll(bids))
  }
}, Effect.scoped)

const display = Effect.fn("Auction.display")(function*(hub: PubSub.PubSub<Bid>) {
  const board = yield* Board
  const bids = yield* PubSub.subscribe(hub)
  while (true) yield* board.show(yield* PubSub.take(bids))
}, Effect.scoped)

const placeBid = (n: number) =>
  new Bid({
    lot: `lot ${n % 15}`,
    bidder: `bidder ${n % 71}`,
    cents: 100 * n,
    seen: Array.from({ length: 16 }, (_, before) => `bidder ${(n * before) % 71} at ${n - before}`)
  })

const auction = Effect.gen(function*() {
  const hub = yield* PubSub.unbounded<Bid>()
  yield* Effect.forkChild(archive(hub))
  yield* Effect.forkChild(display(hub))
  for (let n = 1;; n++) {
    yield* Effect.sleep(jitter(9))
    yield* PubSub.publish(hub, placeBid(n))
  }
})

Effect.runFork(Effect.provide(auction, Layer.mergeAll(Board.layer)))
