import { assert, describe, it } from "@effect/vitest"
import * as Trend from "../../src/statistics/Trend.ts"
import type { Random } from "../support/random.ts"
import { random, seeds } from "../support/random.ts"

const line = (length: number, slope = 1): ReadonlyArray<number> => Array.from({ length }, (_, i) => i * slope)

/** Noise of which each value remembers the one before, with standard deviation 1. */
const noise = ({ normal }: Random, memory: number, length = 30): ReadonlyArray<number> => {
  let value = normal()
  return Array.from({ length }, () => value = memory * value + Math.sqrt(1 - memory * memory) * normal())
}

/** How many of 1 000 such series rise, in percent. */
const rising = (series: (chance: Random) => ReadonlyArray<number>): number =>
  seeds(1000).filter((seed) => Trend.rises(series(random(seed)))).length / 10

describe("Trend", () => {
  it("finds the middle of odd, even and no numbers", () => {
    assert.strictEqual(Trend.median([3, 1, 2]), 2)
    assert.strictEqual(Trend.median([4, 1, 3, 2]), 2.5)
    assert.isNaN(Trend.median([]))
  })

  it("finds the slope of a line, in steps and in time, whatever one outlier says", () => {
    assert.strictEqual(Trend.senSlope(line(10, 3)), 3)
    assert.strictEqual(Trend.senSlope([0, 10, 20], [0, 2, 4]), 5)
    assert.strictEqual(Trend.senSlope(line(20).map((value, i) => (i === 7 ? 1e9 : value))), 1)
    assert.strictEqual(Trend.senSlope([1]), 0)
  })

  it("knows the statistic of Mann and Kendall where tables have it", () => {
    // n = 10: S = 45, its variance 125; n = 20: S = 190, its variance 950.
    assert.closeTo(Trend.mannKendall(line(10)), 44 / Math.sqrt(125), 1e-9)
    assert.closeTo(Trend.mannKendall(line(20)), 189 / Math.sqrt(950), 1e-9)
    assert.strictEqual(Trend.mannKendall(line(10, -1)), 0)
    assert.strictEqual(Trend.mannKendall(Array(10).fill(5)), 0)
    assert.strictEqual(Trend.mannKendall([1, 2, 3]), 0)
  })

  it("counts equal values as no evidence, and leaves them less to chance", () => {
    // Seven with three equal: S = 21 - 3, its variance (7·6·19 - 3·2·11) / 18.
    assert.closeTo(Trend.kendall([5, 5, 5, 8, 16, 25, 42]), 17 / Math.sqrt(732 / 18), 1e-9)
    assert.strictEqual(Trend.kendall([4, 4, 4, 4]), 0)
  })

  it("knows the quantiles of Student's t where tables have them", () => {
    // One-sided 1 %: t = 3.365 with 5 degrees of freedom, 2.764 with 10; 0.1 %: t = 5.893 with 5. Steps of a mean and a deviation of 1.
    const steps = (n: number, t: number) => {
      const deviations = Array.from({ length: n }, (_, i) => (i - (n - 1) / 2) / Math.sqrt(n * (n + 1) / 12))
      return deviations.map((deviation) => deviation + t / Math.sqrt(n))
    }
    assert.closeTo(Trend.drift(steps(6, 3.365)), 2.326, 0.02)
    assert.closeTo(Trend.drift(steps(11, 2.764)), 2.326, 0.02)
    assert.closeTo(Trend.drift(steps(6, 5.893)), 3.09, 0.03)
    assert.closeTo(Trend.drift(steps(6, -5.893)), -3.09, 0.03)
    assert.strictEqual(Trend.drift([3, 3, 3]), Infinity)
    assert.strictEqual(Trend.drift([0, 0, 0]), 0)
    assert.strictEqual(Trend.drift([5]), 0)
  })

  it("says that a sum drifts that only wanders once in a thousand times", () => {
    const drifting = seeds(20_000).filter((seed) => {
      const chance = random(seed)
      return Trend.drift(Array.from({ length: 6 }, () => chance.normal())) >= 3.09
    })
    assert.isAtMost(drifting.length, 36, "twenty are expected")
    assert.isAtLeast(drifting.length, 8)
  })

  it("is less sure of readings that remember those before them", () => {
    const z = (memory: number) =>
      Trend.median(
        seeds(200).map((seed) => {
          const chance = random(seed)
          return Trend.mannKendall(noise(chance, memory).map((value, i) => value + 0.2 * i))
        })
      )
    assert.isBelow(z(0.8), 0.8 * z(0))
  })

  it("rises for a straight line, and not for what is level, falls, or is short", () => {
    assert.isTrue(Trend.rises(line(30)))
    assert.isTrue(Trend.rises(line(30).map((value) => 1e8 + 4096 * Math.floor(value / 2))))
    assert.isFalse(Trend.rises(Array(30).fill(7)))
    assert.isFalse(Trend.rises(line(30, -1)))
    assert.isFalse(Trend.rises(line(6)))
    assert.isFalse(Trend.rises(line(30).map((value, i) => (i === 26 ? 11 : value))), "it was all the way down again")
  })

  // The published rates are of 4 000 runs; the limits leave three standard deviations of 1 000.
  it("rises as often as its documentation says", { timeout: 30_000 }, () => {
    assert.isAtMost(rising((chance) => noise(chance, 0)), 0.5)
    assert.isAtMost(rising((chance) => noise(chance, 0.7)), 5.3)
    assert.isAtMost(rising((chance) => noise(chance, 0.3).map((e, i) => e + 20 * (1 - Math.exp(-i / 5)))), 20)
    assert.isAtLeast(rising((chance) => noise(chance, 0.3).map((e, i) => e + 0.5 * i)), 95.3)
    const sawtooth = (chance: Random) => {
      const phase = chance.integer(0, 9)
      return noise(chance, 0.3).map((e, i) => e + 6 * ((i + phase) % 10) / 10)
    }
    assert.isAtMost(rising(sawtooth), 2)
  })
})
