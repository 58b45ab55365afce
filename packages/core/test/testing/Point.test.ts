import { assert, describe, it } from "@effect/vitest"
import type { Plan } from "../../src/testing/Point.ts"
import { decodeToken, encodeToken, NotReplayable } from "../../src/testing/Point.ts"

const plan: Plan = { driver: "virtual", points: [], order: { _tag: "Fifo" }, seed: 0, fault: undefined }

const plans: ReadonlyArray<Plan> = [
  plan,
  { ...plan, points: [{ _tag: "Park", op: 6 }] },
  { ...plan, points: [{ _tag: "Task", task: 2 }, { _tag: "Idle", idle: 1 }], driver: "async" },
  { ...plan, points: [{ _tag: "Park", op: 3, victim: 1 }, { _tag: "Idle", idle: 2, victim: 11 }] },
  { ...plan, order: { _tag: "Seed", seed: 42 }, seed: 42, points: [{ _tag: "Park", op: 1 }] },
  { ...plan, order: { _tag: "Choices", choices: [0, 3, 1] } },
  { ...plan, fault: { kind: "failingAcquire", at: 1 } },
  { ...plan, fault: { kind: "dyingRelease", at: 2 } },
  { ...plan, fault: { kind: "slowRelease", at: 3 }, points: [{ _tag: "Idle", idle: 1 }] }
]

describe("Point", () => {
  it("writes tokens that are read back unchanged", () => {
    for (const trace of [undefined, 0, 12345, -2147483648, 2147483647]) {
      for (const plan of plans) {
        const decoded = decodeToken(encodeToken(plan, trace))
        if (decoded instanceof NotReplayable) throw decoded
        assert.deepStrictEqual(decoded.plan, plan)
        assert.strictEqual(decoded.trace, trace)
      }
    }
  })

  it("writes tokens that can be read aloud", () => {
    assert.deepStrictEqual(plans.map((plan) => encodeToken(plan, undefined)), [
      "lab1",
      "lab1/op=6",
      "lab1/async/task=2/idle=1",
      "lab1/op=3.2/idle=2.12",
      "lab1/op=1/order=seed.42/random=42",
      "lab1/order=0.3.1",
      "lab1/failing-acquire=1",
      "lab1/dying-release=2",
      "lab1/idle=1/slow-release=3"
    ])
  })

  it("rejects an invalid token, with the reason", () => {
    for (
      const token of [
        "",
        "lab9/op=1",
        "lab1/op=0",
        "lab1/op=x",
        "lab1/op=1.1",
        "lab1/op=1.x",
        "lab1/what=1",
        "lab1/order=",
        "lab1/op=1/trace=-"
      ]
    ) {
      const decoded = decodeToken(token)
      assert.instanceOf(decoded, NotReplayable)
      assert.include((decoded as NotReplayable).message, "Copy the whole token")
    }
  })
})
