// Every seven seconds a campaign begins, which reminds forty people, each in a fiber that waits for an answer.
// Leak: nobody ever answers.
import { Deferred, Effect } from "effect"
import "../../support/life.ts"

const open = []

const remind = Effect.fn("remind")(function*(_n) {
  const answer = yield* Deferred.make()
  open.push(answer)
  yield* Deferred.await(answer)
})

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    for (let k = 0; k < 40; k++) yield* Effect.forkDetach(remind(n))
    yield* Effect.sleep(7000)
  }
}))
