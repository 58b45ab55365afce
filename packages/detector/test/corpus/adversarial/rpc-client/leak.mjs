// An RPC client that keeps its pending calls by number. One call in six is never replied to, and times out.
// Leak: a call that has timed out is still pending, with its body and what would have resumed it.
import { Effect } from "effect"
import "../../support/life.ts"

const pending = new Map()
let id = 0

const send = (body) =>
  Effect.callback((resume) => {
    const own = ++id
    pending.set(own, { body, resume })
    if (own % 6 !== 0) {
      setTimeout(() => {
        pending.get(own).resume(Effect.succeed("ok"))
        pending.delete(own)
      }, 10)
    }
  })

const call = (n) =>
  Effect.timeoutOption(send(Array.from({ length: 40 }, (_, k) => `${n} ${k} ${Math.random()}`)), "300 millis")

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* Effect.forkDetach(call(n))
    yield* Effect.sleep(22)
  }
}))
