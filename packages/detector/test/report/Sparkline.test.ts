import { assert, describe, it } from "@effect/vitest"
import { sparkline } from "../../src/report/Sparkline.ts"
import { random, seeds } from "../support/random.ts"

describe("sparkline", () => {
  it("has a block for each number, the lowest block for the lowest number", () => {
    assert.strictEqual(sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8), "▁▂▃▄▅▆▇█")
    assert.strictEqual(sparkline([8, 1], 8), "█▁")
  })

  it("shows the mean of several numbers that share a block", () => {
    assert.strictEqual(sparkline([0, 0, 10, 0, 10, 10], 3), "▁▄█")
  })

  it("is flat for a level line, whether or not it begins at 0", () => {
    assert.strictEqual(sparkline([5, 5, 5], 8), "▁▁▁")
    assert.strictEqual(sparkline([5, 5, 5], 8, 0), "███")
    assert.strictEqual(sparkline([0, 0], 8, 0), "▁▁")
  })

  it("shows growth as small as it is when it begins at 0", () => {
    assert.strictEqual(sparkline([70, 100], 8), "▁█")
    assert.strictEqual(sparkline([70, 100], 8, 0), "▆█")
  })

  it("is empty for no numbers", () => {
    assert.strictEqual(sparkline([], 8), "")
  })

  it("is never wider than its width, and has only blocks", () => {
    for (const seed of seeds(200)) {
      const { between, integer, pick } = random(seed)
      const values = Array.from({ length: integer(1, 300) }, () => between(-1e9, 1e9))
      const width = integer(1, 80)
      const line = sparkline(values, width, pick([undefined, 0]))
      assert.match(line, /^[▁▂▃▄▅▆▇█]+$/)
      assert.strictEqual(line.length, Math.min(width, values.length))
    }
  })
})
