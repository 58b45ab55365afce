import { assert, describe, it } from "@effect/vitest"
import * as TimeSeries from "../../src/statistics/TimeSeries.ts"
import { random, seeds } from "../support/random.ts"

describe("TimeSeries", () => {
  it("keeps every reading while there is room", () => {
    const series = TimeSeries.make({ capacity: 10 })
    for (let t = 0; t < 10; t++) series.add(t, t * t)
    assert.deepStrictEqual(
      series.points().map(({ t, value }) => [t, value]),
      [...Array(10).keys()].map((t) => [t, t * t])
    )
  })

  it("keeps the mean, the order and both ends of any number of readings, in bounded room", () => {
    for (const seed of seeds(200)) {
      const chance = random(seed)
      const capacity = chance.integer(2, 40)
      const series = TimeSeries.make({ capacity })
      const count = chance.integer(1, 1000)
      let sum = 0
      for (let t = 0; t < count; t++) {
        const value = chance.between(-10, 10)
        sum += value
        series.add(t, value)
      }
      const points = series.points()
      const ends = points.map(({ t }) => t)
      const message = `seed ${seed}, ${count} readings, capacity ${capacity}`
      assert.isAtMost(points.length, capacity, message)
      assert.isAtLeast(points.length, Math.min(count, Math.floor(capacity / 2)), message)
      assert.strictEqual(ends.at(-1), count - 1, message)
      assert.deepStrictEqual(ends, [...new Set(ends)].sort((a, b) => a - b), message)
      // A point stands for all readings since the point before it.
      const weighted = points.reduce((total, { t, value }, i) => total + value * (t - (ends[i - 1] ?? -1)), 0)
      assert.closeTo(weighted, sum, 1e-6, message)
    }
  })

  it("keeps the lowest of floors", () => {
    for (const seed of seeds(100)) {
      const chance = random(seed)
      const series = TimeSeries.make({ capacity: chance.integer(2, 40), merge: "lowest" })
      const values = Array.from({ length: chance.integer(1, 500) }, () => chance.between(0, 1e9))
      values.forEach((value, t) => series.add(t, value))
      const points = series.points()
      assert.strictEqual(Math.min(...points.map(({ value }) => value)), Math.min(...values))
      points.forEach(({ t, value }, i) =>
        assert.strictEqual(value, Math.min(...values.slice((points[i - 1]?.t ?? -1) + 1, t + 1)))
      )
    }
  })

  it("passes over what is no number", () => {
    const series = TimeSeries.make()
    for (const value of [1, NaN, Infinity, -Infinity, 2]) series.add(value, value)
    assert.deepStrictEqual(series.points().map(({ value }) => value), [1, 2])
  })

  it("forgets what lies before its window", () => {
    const series = TimeSeries.make({ windowMs: 5000 })
    for (let second = 0; second <= 100; second++) series.add(second * 1000, second)
    assert.deepStrictEqual(series.points().map(({ value }) => value), [95, 96, 97, 98, 99, 100])
  })
})
