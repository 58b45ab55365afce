import { assert, describe, it } from "@effect/vitest"
import { LargeObjectGrowth } from "../../src/rules/LargeObjectGrowth.ts"
import * as Minima from "../../src/statistics/Minima.ts"
import { observe } from "../support/simulate.ts"
import { oneObject } from "../support/simulated.ts"

const mb = 1024 * 1024
const reading = 2000

describe("LargeObjectGrowth", () => {
  it("finds an array that is copied at each change and gets longer, where it is made", () => {
    const judgement = LargeObjectGrowth.check(oneObject(120, (second) => 1 + second / 10))
    assert.strictEqual(judgement._tag, "Warn")
    if (judgement._tag !== "Warn") return
    assert.strictEqual(judgement.findings.length, 1)
    assert.deepInclude(judgement.findings[0]?.site, { name: "append", line: 3 })
    assert.deepStrictEqual(judgement.findings[0]?.chain.map(({ name }) => name), ["append", "serve"])
    assert.closeTo(judgement.findings[0]?.growth.perSecond ?? 0, mb / 10, mb / 100)
  })

  it("looks longer at a table that doubles, and does not call it fine", () => {
    const judgement = LargeObjectGrowth.check(
      oneObject(120, (second) => 2 ** Math.floor(Math.log2(Math.max(1, second))))
    )
    assert.strictEqual(judgement._tag, "Recheck")
    if (judgement._tag === "Recheck") assert.match(judgement.suspicions[0]?.what ?? "", /allocated in append/)
  })

  it.each<[string, (second: number) => number]>([
    ["stays as large as it is", () => 20],
    ["is full at a third", (second) => Math.min(20, second / 2)],
    ["is emptied again and again", (second) => 1 + second % 12],
    ["is larger at some times than at others", (second) => 10 + Math.round(5 * Math.sin(second / 7))],
    ["doubled for the last time in the first half", (second) => Math.min(8, 2 ** Math.floor(second / 10))]
  ])("accepts what %s", (_, sizeAt) => {
    assert.strictEqual(LargeObjectGrowth.check(oneObject(120, sizeAt))._tag, "Ok")
  })

  it("does not convict what takes the place of something else", () => {
    const observation = oneObject(120, (second) => 1 + second / 10)
    const flat = observe(120, {}, {
      more: [],
      tick: (t) => ({ floors: t % reading === 0 ? [{ t, bytes: 2e7, forced: true }] : [] })
    })
    const seen = { ...flat, allocations: observation.allocations, window: flat.window, durationMs: flat.durationMs }
    assert.strictEqual(LargeObjectGrowth.check(seen)._tag, "Recheck")
  })
})

describe("Minima.doubling", () => {
  const window = { start: 0, end: 64_000 }
  const points = (value: (second: number) => number) =>
    Array.from({ length: 65 }, (_, second) => ({ t: 1000 * second, value: value(second) }))

  it("knows what grows twice as much in twice the time from what fills up and from what swings", () => {
    const grown = (value: (second: number) => number) => Minima.doubling(points(value), window, 10)?.grown
    assert.strictEqual(grown((second) => second), 32)
    assert.strictEqual(grown((second) => 2 ** Math.ceil(Math.log2(Math.max(1, second)))), 32)
    assert.strictEqual(grown((second) => 100 * (1 - Math.exp(-second / 20))), undefined)
    assert.strictEqual(grown((second) => second + (second % 20 === 0 ? 30 : 0)), undefined)
    assert.strictEqual(grown((second) => second / 10), undefined, "too small")
  })

  it("says how slow a rise it would have missed", () => {
    assert.strictEqual(Minima.detectable(points(() => 7)), 0)
    assert.strictEqual(Minima.detectable([]), Infinity)
    const noisy = points((second) => 10 * ((second * 7919) % 13))
    const limit = Minima.detectable(noisy)
    const rising = (perSecond: number) =>
      Minima.judge(noisy.map(({ t, value }) => ({ t, value: value + perSecond * t / 1000 })), 0)._tag
    assert.strictEqual(rising(limit * 1.5), "rising")
  })
})
