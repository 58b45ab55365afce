/** Decisions from snapshots of the heap, on simulated programs. */
import { assert, describe, it } from "@effect/vitest"
import type { HeapPath, Message } from "../../src/agent/Protocol.ts"
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import * as LeakRule from "../../src/LeakRule.ts"
import { KeptGrowth } from "../../src/rules/KeptGrowth.ts"
import { observe } from "../support/simulate.ts"

const MB = 2 ** 20

const path = (different: Partial<HeapPath> = {}): HeapPath => ({
  how: "more",
  steps: [
    { edge: "[]", node: "Generator", kind: "function", place: { name: "", file: "file:///app/server.mjs", line: 1 } },
    { edge: "context", node: "system / Context", kind: "scope" },
    { edge: "pending", node: "Map", kind: "object" },
    { edge: "[]", node: "Request", kind: "object" }
  ],
  counts: [100, 200, 300],
  bytes: [MB, 2 * MB, 3 * MB],
  stayed: [100, 200],
  ...different
})

const growth = (paths: ReadonlyArray<HeapPath>, times: ReadonlyArray<number> = [10_000, 20_000, 30_000]) => ({
  type: "growth",
  t: 30_000,
  times,
  bytes: times.map(() => 20 * MB),
  paths
} satisfies Message)

/** A suspicion of memory that only snapshots can answer. */
const Suspicious = (rule: string): LeakRule.LeakRule =>
  LeakRule.make({
    name: rule,
    find: () => ({ suspicions: [{ what: "memory grows", why: "too few samples", wouldTake: "longer" }] })
  })

const judge = (message: Message & { readonly t: number }, rules = [Suspicious("SurvivorGrowth"), KeptGrowth]) =>
  diagnose(observe(31, { handler: [[0, Infinity]] }, { more: [message] }), { rules })

describe("three snapshots", () => {
  it("make a leak of a suspicion where objects arrive and none leaves", () => {
    const { findings, suspicions, verdict } = judge(growth([path()]))
    assert.strictEqual(verdict, "leak")
    assert.strictEqual(findings[0]!.site.name, "pending")
    assert.deepStrictEqual(findings[0]!.kept?.path, ["pending", "Map", "Request"])
    assert.deepStrictEqual(findings[0]!.kept?.gone, 0)
    assert.deepStrictEqual(suspicions, [])
  })

  it("raise no suspicion of their own: something that fills up looks the same", () => {
    assert.strictEqual(judge(growth([path()]), [KeptGrowth]).findings.length, 0)
  })

  it.for<readonly [why: string, path: Partial<HeapPath>]>([
    ["a third of the members left", { stayed: [60, 130] }],
    ["it came to rest", { counts: [100, 200, 205], bytes: [MB, 2 * MB, 2.05 * MB] }],
    ["it slows down, as a cache does that fills", { counts: [100, 700, 1100], stayed: [100, 700] }],
    ["it has a bound", { bound: { size: 300, most: 1000 } }],
    ["it is small", { bytes: [1000, 2000, 3000] }],
    ["only a few arrived", { counts: [100, 104, 108], stayed: [100, 104] }]
  ])("make no leak of it where %s", ([, different]) => {
    assert.notStrictEqual(judge(growth([path(different)])).verdict, "leak")
  })

  it("make no leak of what grew in a part of the run: it may be emptied from time to time", () => {
    const late = growth([path()], [20_000, 25_000, 30_000])
    assert.notStrictEqual(judge(late).verdict, "leak")
  })

  it("need a third one", () => {
    const two = path({ counts: [100, 300], bytes: [MB, 3 * MB], stayed: [100] })
    assert.strictEqual(judge(growth([two], [10_000, 30_000])).verdict, "undecided")
  })

  it("answer a suspicion of memory with ok where nothing became more, or what did has filled up", () => {
    assert.strictEqual(judge(growth([])).suspicions.length, 0)
    const full = path({ counts: [100, 200, 202], bytes: [MB, 2 * MB, 2.02 * MB], stayed: [90, 190] })
    assert.strictEqual(judge(growth([full])).suspicions.length, 0)
  })

  it("leave a suspicion of fibers alone", () => {
    assert.strictEqual(judge(growth([]), [Suspicious("FiberGrowth"), KeptGrowth]).suspicions.length, 1)
  })

  it("tell two leaks apart, and one leak that two paths show only once", () => {
    const other = path({ steps: path().steps.with(2, { edge: "invoices", node: "Array", kind: "object" }) })
    assert.strictEqual(judge(growth([path(), other])).findings.length, 2)
    const timers = path({
      steps: [{ edge: "timerListMap", node: "Object", kind: "object" }, {
        edge: "next",
        node: "Timeout",
        kind: "object"
      }]
    })
    assert.strictEqual(judge(growth([path(), timers])).findings.length, 1)
  })
})

describe("a finding of memory", () => {
  const Memory = LeakRule.make({
    name: "SurvivorGrowth",
    find: () => ({
      findings: [{
        kind: "memory-growth",
        rule: "SurvivorGrowth",
        severity: "error",
        summary: "memory grows",
        site: { name: "load", file: "/app/server.mjs", line: 3 },
        chain: [],
        waits: [],
        count: 10,
        bytes: MB,
        growth: { perSecond: MB / 10, unit: "bytes" },
        survivors: [],
        evidence: [],
        cannotShow: "",
        fix: "",
        docs: "",
        fingerprint: "memory-growth:load",
        pid: 1
      }]
    })
  })

  it("gets the path that keeps its objects, and the path is no finding of its own", () => {
    const { findings } = judge(growth([path()]), [Memory, KeptGrowth])
    assert.strictEqual(findings.length, 1)
    assert.strictEqual(findings[0]!.kept?.keeper, "pending")
    assert.strictEqual(findings[0]!.rule, "SurvivorGrowth")
  })

  it("is not a leak where its container has a bound, and says how full that is", () => {
    const { findings, verdict } = judge(growth([path({ bound: { size: 300, most: 2000 } })]), [Memory, KeptGrowth])
    assert.notStrictEqual(verdict, "leak")
    assert.strictEqual(findings[0]!.severity, "info")
    assert.match(findings[0]!.summary, /^pending is filling: 300 of 2\D000 Request$/)
  })

  it("is a suspicion where no path became larger by a quarter of it", () => {
    const { because, verdict } = judge(growth([path({ bytes: [1000, 2000, 3000] })]), [Memory, KeptGrowth])
    assert.strictEqual(verdict, "undecided")
    assert.include(because, "show no objects that became more")
  })
})
