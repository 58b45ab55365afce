import { assert, describe, it } from "@effect/vitest"
import { growthOf } from "../../../src/internal/application/growth.ts"

const kilobyte = 1024

/** Heap sizes after each cycle, computed by a function of the cycle plus random noise of the collections. */
const floors = (count: number, bytes: (cycle: number) => number) => {
  let seed = 7
  const chance = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
  return Array.from(
    { length: count },
    (_, i) => ({ cycle: i + 1, bytes: 3e7 + bytes(i + 1) + 10 * kilobyte * chance() })
  )
}

describe("growthOf", () => {
  it("detects a heap that grows with every cycle, and its slope", () => {
    const growth = growthOf(floors(40, (cycle) => 8 * kilobyte * cycle))!
    assert.isTrue(growth.grows)
    assert.closeTo(growth.bytesPerCycle, 8 * kilobyte, kilobyte)
  })

  it("does not report noise, warm-up, a single step or a full cache as growth", () => {
    for (
      const healthy of [
        () => 0,
        (cycle: number) => 2e6 * (1 - Math.exp(-cycle / 4)),
        (cycle: number) => 2e6 * (1 - Math.exp(-cycle / 10)),
        (cycle: number) => cycle > 30 ? 1e6 : 0,
        (cycle: number) => Math.min(cycle, 20) * 1e5,
        (cycle: number) => -8 * kilobyte * cycle,
        (cycle: number) => 1e6 * (cycle % 10)
      ]
    ) assert.isFalse(growthOf(floors(40, healthy))!.grows, String(healthy))
  })

  it("does not judge a few cycles", () => {
    assert.isUndefined(growthOf(floors(19, (cycle) => 1e6 * cycle)))
    assert.isTrue(growthOf(floors(20, (cycle) => 1e6 * cycle))?.grows)
  })
})
