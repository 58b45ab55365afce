import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { LeakDetector } from "../../src/LeakDetector.ts"
import * as Observation from "../../src/observation/Observation.ts"
import { GaugeGrowth, MetricCardinality } from "../../src/rules/GaugeGrowth.ts"

const observe = (value: (second: number) => number, what: "gauges" | "series") => {
  const observation = Observation.make()
  observation.take({ type: "copy", t: 0, where: "test" })
  for (let second = 0; second <= 60; second++) {
    const named = [["fiberscope_mailbox_depth", value(second)]] as const
    observation.take({
      type: "metrics",
      t: second * 1000,
      gauges: what === "gauges" ? named : [],
      series: what === "series" ? named : []
    })
  }
  return observation
}

describe("GaugeGrowth and MetricCardinality", () => {
  it("find what rises and rises", () => {
    assert.strictEqual(GaugeGrowth().check(observe((s) => 3 * s, "gauges"))._tag, "Warn")
    assert.strictEqual(MetricCardinality.check(observe((s) => 3 * s, "series"))._tag, "Warn")
  })

  it("accept what goes up and down, what fills early, and what nobody asked to watch", () => {
    assert.strictEqual(GaugeGrowth().check(observe((s) => 50 + 30 * Math.sin(s), "gauges"))._tag, "Ok")
    assert.strictEqual(MetricCardinality.check(observe((s) => Math.min(40, 4 * s), "series"))._tag, "Ok")
    assert.strictEqual(GaugeGrowth((name) => name === "mine").check(observe((s) => 3 * s, "gauges"))._tag, "Ok")
  })

  it.effect("are asked about the metrics of the program", () =>
    Effect.gen(function*() {
      yield* Metric.update(Metric.gauge("fiberscope_test_depth"), 7)
      const detector = yield* LeakDetector
      const { problems } = yield* detector.diagnosis
      assert.deepStrictEqual(problems, [])
    }).pipe(Effect.provide(LeakDetector.layer({ samplingBytes: 0 }))))
})
