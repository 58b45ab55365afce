import { assert, describe, it } from "@effect/vitest"
import { growthOf } from "../../../src/internal/application/growth.ts"

const kilobyte = 1024

/** Floors of a heap that is a function of the cycle, with what collections leave by chance. */
const floors = (count: number, bytes: (cycle: number) => number) => {
  let seed = 7
  const chance = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
  return Array.from(
    { length: count },
    (_, i) => ({ cycle: i + 1, bytes: 3e7 + bytes(i + 1) + 10 * kilobyte * chance() })
  )
}

describe("growthOf", () => {
  it("sees a heap that grows with every cycle, and by how much", () => {
    const growth = growthOf(floors(40, (cycle) => 8 * kilobyte * cycle))!
    assert.isTrue(growth.grows)
    assert.closeTo(growth.bytesPerCycle, 8 * kilobyte, kilobyte)
  })

  it("does not take chance, warm-up, one step or a full cache for growth", () => {
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
