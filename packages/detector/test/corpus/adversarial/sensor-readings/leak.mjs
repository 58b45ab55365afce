// Readings of a sensor, a thousand numbers every tenth of a second, are added to an array in a Ref, which is copied.
// Leak: none is ever taken out of it.
import { Effect, Ref, Schedule } from "effect"
import "../../support/life.ts"

const measure = () => Array.from({ length: 1000 }, () => Math.random() * 100)

Effect.runFork(Effect.gen(function*() {
  const readings = yield* Ref.make([])
  const update = Effect.gen(function*() {
    const fresh = measure()
    yield* Ref.update(readings, (all) => [...all, ...fresh])
  })
  yield* Effect.repeat(update, Schedule.spaced("100 millis"))
}))
