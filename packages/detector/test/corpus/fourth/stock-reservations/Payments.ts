import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

export interface Line {
  readonly article: string
  readonly pieces: number
}

/** Payments are accepted at once, or, one in ten, after a minute. */
export const pay = Effect.fn("Payments.pay")(function*(order: string, lines: ReadonlyArray<Line>) {
  yield* Effect.sleep(order.endsWith("7") ? "1 minute" : jitter(40))
  return lines.reduce((sum, line) => sum + line.pieces, 0)
})
