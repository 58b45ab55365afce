/** Rules whose findings are notes: they compare a number with a threshold. */
import { assert, describe, it } from "@effect/vitest"
import type { LeakRule } from "../../src/LeakRule.ts"
import { LoopStarvation } from "../../src/rules/LoopStarvation.ts"
import { HeapGrowthRatio, LiveFiberThreshold } from "../../src/rules/Thresholds.ts"
import { observe } from "../support/simulate.ts"

const delayed = (ms: number) =>
  observe(30, {}, { tick: () => ({ loop: { p50: 1, p99: ms, max: ms, utilization: 0.5 } }) })

const grown = (ratio: number) =>
  observe(30, {}, {
    tick: (t) => ({ floors: [{ t, bytes: 2e7 * (1 + (ratio - 1) * t / 30_000), forced: true }] })
  })

const living = (live: number) =>
  observe(30, {}, { tick: () => ({ fibers: { started: live, ended: 0, abandoned: 0, live, tenured: 0 } }) })

describe.each<[string, LeakRule, (value: number) => ReturnType<typeof observe>, number, number, RegExp]>([
  ["LoopStarvation", LoopStarvation(), delayed, 90, 130, /^callbacks wait 130 ms/],
  ["LoopStarvation, with a threshold of 20 ms", LoopStarvation(20), delayed, 15, 30, /^callbacks wait 30 ms/],
  ["HeapGrowthRatio", HeapGrowthRatio(), grown, 1.3, 1.9, /more than 1\.5 times$/],
  ["HeapGrowthRatio, with a ratio of 3", HeapGrowthRatio(3), grown, 2, 4, /more than 3 times$/],
  ["LiveFiberThreshold", LiveFiberThreshold(), living, 100, 101, /^101 fibers live, more than 100$/]
])("%s", (_, rule, observation, below, above, summary) => {
  it("is silent below its threshold, and notes what is above it", () => {
    assert.deepStrictEqual(rule.check(observation(below)), { _tag: "Ok" })
    const judged = rule.check(observation(above))
    assert(judged._tag === "Warn")
    assert.match(judged.findings[0]!.summary, summary)
    assert.strictEqual(judged.findings[0]!.severity, "info")
  })
})
