import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Scheduler } from "effect"
import { examine } from "../../../src/testing/internal/canary.ts"
import { baseContext } from "../../../src/testing/internal/Lab.ts"
import { Stage } from "../../../src/testing/internal/Stage.ts"

const base = baseContext(Context.empty(), false)

describe("canary", () => {
  it("passes on this version of Effect", () => {
    assert.isUndefined(examine())
  })

  it("fails when the runtime no longer calls the scheduler", () => {
    // With this reference the run loop does not call the scheduler, like a runtime that has lost `shouldYield`.
    assert.match(examine(Context.add(base, Scheduler.PreventSchedulerYield, true))!, /no longer sees|no longer parks/)
  })

  it("fails when a fiber that had to yield continues", () => {
    const stage = new Stage(
      { driver: "virtual", points: [{ _tag: "Park", op: 2 }], order: { _tag: "Fifo" }, seed: 0, fault: undefined },
      { maxOps: 100, grace: 0, endless: undefined, deliveries: false, settle: 0 }
    )
    const fiber = Effect.runFork(Effect.never)
    stage.shouldYield(fiber)
    assert.isTrue(stage.shouldYield(fiber))
    stage.shouldYield(fiber)
    assert.strictEqual(stage.blind, "a fiber that had to yield continued")
    fiber.interruptUnsafe()
  })
})
