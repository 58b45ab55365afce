import { assert, describe, it } from "@effect/vitest"
import { makeReadingBudget } from "../../src/agent/ReadingBudget.ts"

/** The times of readings in a program that uses a share of a core and whose fibers cost more for a while after each reading. */
const readings = (program: {
  readonly seconds: number
  /** Share of a core without readings. */
  readonly busy: number
  readonly fibersPerSecond: number
  /** Milliseconds of processor time after each reading, in the first two seconds. */
  readonly aftermath: number
  readonly took?: number
  readonly share?: number
}): ReadonlyArray<number> => {
  const budget = makeReadingBudget(2000, program.share ?? 0.015, 0)
  const times: Array<number> = []
  let cpuMs = 0
  for (let second = 0; second <= program.seconds; second++) {
    const t = second * 1000
    budget.observe({ t, cpuMs, started: second * program.fibersPerSecond })
    if (budget.isDue(t)) {
      budget.taken(t, program.took ?? 20)
      times.push(second)
    }
    cpuMs += 1000 * program.busy + (second - (times.at(-1) ?? -9) < 2 ? program.aftermath / 2 : 0)
  }
  return times
}

describe("ReadingBudget", () => {
  it("counts only the readings' own time in a program that is mostly idle", () => {
    const idle = { seconds: 30, busy: 0.05, fibersPerSecond: 1000, aftermath: 100 }
    assert.isAtLeast(readings(idle).length, 13)
    assert.isAtMost(readings({ ...idle, took: 100 }).length, 5)
  })

  it("waits longer in a busy program that is slower after a reading", () => {
    const busy = { seconds: 60, busy: 0.95, fibersPerSecond: 10_000, aftermath: 400 }
    const times = readings(busy)
    assert.isAtMost(times.length, 5)
    assert.isAtLeast(times[2]! - times[1]!, 20)
    assert.isAtLeast(readings({ ...busy, aftermath: 0 }).length, 8)
  })

  it("counts only the time of the readings in a program without fibers", () => {
    assert.isAtLeast(readings({ seconds: 30, busy: 0.9, fibersPerSecond: 10, aftermath: 400 }).length, 4)
  })

  it("takes readings at the least distance when there is no budget", () => {
    assert.deepStrictEqual(
      readings({ seconds: 8, busy: 1, fibersPerSecond: 1000, aftermath: 900, took: 500, share: 0 }),
      [2, 4, 6, 8]
    )
  })
})
