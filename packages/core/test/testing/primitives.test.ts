import { assert, describe, it } from "@effect/vitest"
import { render } from "../../src/testing/index.ts"
import { cases, examine } from "./primitives/main.ts"

describe("Effect's own primitives survive every interruption:", () => {
  for (const each of cases.filter(({ finding }) => finding === undefined)) {
    it(each.name, async () => {
      const report = await examine(each, { points: ["park", "task", "idle", "delivery"] })
      assert.strictEqual(report.failures.length, 0, render(report))
      assert.isAbove(report.points.park, 0)
    }, 60_000)
  }
})

describe("Effect's own primitives still have the known bugs:", () => {
  for (const each of cases.filter(({ finding }) => finding !== undefined)) {
    it(`${each.name}, see ${each.finding}`, async () => {
      const { failures } = await examine(each)
      assert.isAbove(failures.length, 0, "it is mended in this version: take the finding back")
    })
  }
})
