// A service with sixty routes. All of them have their work audited by the same helper, which forks a fiber that waits
// until the work is confirmed.
// Leak: one request in six is never confirmed, and its fiber waits for ever.
import { Deferred, Effect } from "effect"
import "../../support/life.ts"

const pending = new Set()

const audited = (work) =>
  Effect.gen(function*() {
    const done = yield* Deferred.make()
    yield* Effect.forkDetach(Effect.andThen(Deferred.await(done), Effect.sync(() => pending.size)))
    const result = yield* work
    if (Math.random() < 5 / 6) yield* Deferred.succeed(done, undefined)
    else pending.add(done)
    return result
  })

const routes = Array.from({ length: 60 }, (_, n) =>
  Effect.fn(`route${n}`)(function*() {
    return yield* audited(Effect.sleep(5 + Math.random() * 20))
  }))

Effect.runFork(Effect.gen(function*() {
  while (true) {
    yield* Effect.forkDetach(routes[Math.floor(Math.random() * 60)]())
    yield* Effect.sleep(Math.random() * 80)
  }
}))
