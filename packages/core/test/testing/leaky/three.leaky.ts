/** Three tests that leak a fiber, and one that does not. NoLeaks.test.ts runs them in a separate process. */
import { describe, it as base } from "@effect/vitest"
import { Effect } from "effect"
import { withNoLeaks } from "../../../src/testing/index.ts"

const it = withNoLeaks(base, { settle: 20 })

const elsewhere = () => {
  setTimeout(() => {
    Effect.runFork(Effect.never) // the line of the third
  }, 1)
}

describe.concurrent("leaky", () => {
  it.effect("forgets a detached fiber", () =>
    Effect.gen(function*() {
      yield* Effect.yieldNow
      yield* Effect.forkDetach(Effect.never) // the line of the first
      yield* Effect.yieldNow
    }))

  it.live("forgets a fiber that sleeps", () =>
    Effect.gen(function*() {
      yield* Effect.sleep(5)
      yield* Effect.forkDetach(Effect.sleep("1 hour"), { startImmediately: true }) // the line of the second
      yield* Effect.sleep(5)
    }))

  it.live("forgets a fiber of another runtime", () =>
    Effect.gen(function*() {
      yield* Effect.sleep(2)
      yield* Effect.sync(elsewhere)
      yield* Effect.sleep(10)
    }))

  it.effect("forgets nothing", () => Effect.scoped(Effect.andThen(Effect.forkScoped(Effect.never), Effect.yieldNow)))
})
