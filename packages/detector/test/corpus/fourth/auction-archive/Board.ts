/** What is shown in the hall: the highest bid for each lot. */
import { Context, Effect, Layer } from "effect"
import type { Bid } from "./Bid.ts"

export class Board extends Context.Service<Board, {
  readonly show: (bid: Bid) => Effect.Effect<boolean>
}>()("auction/Board") {
  static readonly layer = Layer.sync(Board, () => {
    const highest = new Map<string, number>()
    return {
      show: (bid) =>
        Effect.sync(() => {
          if ((highest.get(bid.lot) ?? 0) >= bid.cents) return false
          highest.set(bid.lot, bid.cents)
          return true
        })
    }
  })
}
