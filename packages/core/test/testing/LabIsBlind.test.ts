/** A separate file: the lab checks the runtime once in a process, and this runtime is broken. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { InterruptLab } from "../../src/testing/index.ts"
import { correct, wrong } from "./programs.ts"

interface FiberPrototype {
  cache: object
  setContext(context: unknown): void
}

it("fails for every program when the runtime no longer calls the scheduler", async () => {
  const prototype = Object.getPrototypeOf(Effect.runFork(Effect.void)) as FiberPrototype
  const { setContext } = prototype
  prototype.setContext = function(context) {
    setContext.call(this, context)
    this.cache = { ...this.cache, preventYield: true }
  }
  try {
    for (const make of [correct["acquireUseRelease"]!, Object.values(wrong)[0]!, () => Effect.void]) {
      const entrances: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        InterruptLab.verify(make),
        InterruptLab.explore(make, { order: "random" }),
        InterruptLab.explore(make, { driver: "async" }),
        InterruptLab.replay(make, "lab1/op=3")
      ]
      for (const entrance of entrances) {
        const error = await Effect.runPromise(Effect.flip(entrance))
        assert.instanceOf(error, InterruptLab.LabIsBlind)
        assert.match(error.message, /cannot see the operations of this version of effect.*pin one of these/)
      }
    }
  } finally {
    prototype.setContext = setContext
  }
})
