import { assert, describe, it } from "@effect/vitest"
import { bounded, busiestFirst, countVerdicts, worstFirst } from "../../src/report/Bounded.ts"
import { finding } from "../support/finding.ts"

describe("report/Bounded", () => {
  it("puts the greatest harm first, and keeps the order of the rules when the harm is similar", () => {
    const growing = (rule: string, perSecond: number, unit: string, different = {}) =>
      finding("memory-growth", { rule, growth: { perSecond, unit }, ...different })
    const order = worstFirst([
      growing("accepted", 1e9, "bytes", { accepted: { reason: "known", until: "2999-01-01" } }),
      growing("info", 1e9, "bytes", { severity: "info" }),
      growing("warning", 1e9, "bytes", { severity: "warning" }),
      growing("still", 0, "units"),
      growing("30 KB/s", 30_000, "bytes"),
      growing("20 fibers/s", 20, "fibers"),
      growing("40 KB/s", 40_000, "bytes"),
      growing("17 MB/s", 17e6, "bytes"),
      growing("5 fibers/s of 100 KB", 5, "fibers", { bytes: 1e6, count: 10 })
    ])
    assert.deepStrictEqual(order.map(({ rule }) => rule), [
      "17 MB/s",
      "5 fibers/s of 100 KB",
      "30 KB/s",
      "20 fibers/s",
      "40 KB/s",
      "still",
      "warning"
    ])
  })

  it("puts the worst processes first, and counts the verdicts of the rest", () => {
    const process = (verdict: "leak" | "ok" | "undecided", started: number) => ({
      pid: started,
      thread: 0,
      argv: [],
      node: "",
      effect: [],
      verdict,
      because: "",
      durationMs: 0,
      fibers: { started, ended: 0, abandoned: 0, live: 0 },
      readings: { count: 0, pausedMs: 0 },
      signals: {},
      problems: []
    })
    const order = busiestFirst([process("ok", 9), process("leak", 1), process("undecided", 3), process("leak", 2)])
    assert.deepStrictEqual(order.map(({ pid }) => pid), [2, 1, 3, 9])
    assert.strictEqual(countVerdicts(order), "2 leak, 1 undecided, 1 ok")
  })

  it("counts the omitted items", () => {
    assert.deepStrictEqual(bounded([1, 2, 3], 2), { shown: [1, 2], more: 1 })
    assert.deepStrictEqual(bounded([1], 2), { shown: [1], more: 0 })
  })
})
