import { assert, describe, it } from "@effect/vitest"
import * as Diagnosis from "../../src/diagnosis/Diagnosis.ts"
import type { Finding } from "../../src/Finding.ts"
import type { Judgement, LeakRule } from "../../src/LeakRule.ts"
import * as Observation from "../../src/observation/Observation.ts"
import { finding } from "../support/finding.ts"
import type { Life } from "../support/simulate.ts"
import { observe, opening, place, readings, tick } from "../support/simulate.ts"

const rule = (name: string, check: () => unknown): LeakRule => ({ name, check: check as () => Judgement })
const warn = (...findings: ReadonlyArray<Finding>) => rule("Warns", () => ({ _tag: "Warn", findings }))
const doubt = rule("Doubts", () => ({
  _tag: "Recheck",
  suspicions: [{ rule: "Doubts", what: "7 fibers live", why: "they may end", wouldTake: "a run of 60 s" }]
}))

const diagnose = (observation: Observation.Observation, rules: ReadonlyArray<LeakRule>) =>
  Diagnosis.diagnose(observation, { rules })

/** A program that does a bit of work for so long, and of which samples were taken. */
const quiet = (seconds: number, readingsToo = true): Observation.Observation => {
  const lives = Array.from({ length: seconds }, (_, i): Life => [i * 1000, i * 1000 + 2500])
  return observe(seconds, { work: lives }, {
    more: readingsToo ? readings(seconds, [{ frames: [place("work", "/app/work.ts", 1)], lives }]) : []
  })
}

const leaky = (seconds: number): Observation.Observation =>
  observe(seconds, { handler: Array.from({ length: seconds * 5 }, (_, i): Life => [i * 200, Infinity]) })

describe("Diagnosis", () => {
  it("finds a leak of fibers, with its site, its size and its speed", () => {
    const { because, findings, verdict } = Diagnosis.diagnose(leaky(30))
    assert.strictEqual(verdict, "leak")
    assert.match(because, /^\d+ fibers forked in handler \(src\/handler\.ts:7:3\) have not ended$/)
    assert.strictEqual(findings.length, 1)
    assert.deepInclude(findings[0], {
      kind: "fiber-growth",
      severity: "error",
      site: { name: "handler", file: "/app/src/handler.ts", line: 7, column: 3 },
      count: 146, // of 150: the others are not tenured yet
      fingerprint: "fiber-growth:handler@src/handler.ts",
      pid: 42
    })
    assert.closeTo(findings[0]!.growth.perSecond, 5, 0.5)
  })

  it("says ok of a quiet program only after a time, and how slow a leak it would not have seen", () => {
    assert.deepInclude(Diagnosis.diagnose(quiet(30)), { verdict: "ok", findings: [], suspicions: [], problems: [] })
    const floors = Array.from(
      { length: 15 },
      (_, i) => ({ t: 2000 * (i + 1), bytes: 2e7, forced: true, external: 1e6 })
    )
    const looked = observe(30, {}, {
      more: readings(30, []),
      tick: (t) => ({ floors: floors.filter((floor) => floor.t === t) })
    })
    assert.match(
      Diagnosis.diagnose(looked).because,
      /^no leak found in 30 s \(detection limit: \d+ KB\/s in one function, \d+ KB\/s in buffers, \d+ KB\/s in single large objects\)$/
    )
    assert.match(Diagnosis.diagnose(quiet(30)).because, /; memory in buffers was not judged\)$/)
    const short = Diagnosis.diagnose(quiet(20))
    assert.deepInclude(short, {
      verdict: "undecided",
      because: "20 s are too short to call anything ok; it would take a run of 30 s"
    })
  })

  it("is not sure of a heap that grew by much when it was looked at a few times only", () => {
    // Ever more slowly, so that it does not even double.
    const grew = (bytes: number) =>
      Diagnosis.diagnose(observe(30, {}, {
        more: readings(30, []),
        tick: (t) => ({
          floors: t % 4000 === 0 ? [{ t, bytes: 2e7 + bytes * Math.sqrt(t / 1000), forced: true }] : []
        })
      }))
    assert.strictEqual(grew(1e5).verdict, "ok")
    assert.strictEqual(grew(2e6).verdict, "undecided")
    assert.match(grew(2e6).because, /7 readings are too few/)
  })

  it("says of fibers alone that memory was not looked at", () => {
    const { because, verdict } = Diagnosis.diagnose(quiet(30, false))
    assert.strictEqual(verdict, "undecided")
    assert.match(because, /readings of memory are too few/)
  })

  it("calls nothing a leak that is seen in the first seconds, and says so", () => {
    const { because, findings, suspicions, verdict } = diagnose(quiet(10), [warn(finding("memory-growth"))])
    assert.strictEqual(verdict, "undecided")
    assert.deepStrictEqual(findings, [])
    assert.match(because, /the run was too short/)
    assert.strictEqual(suspicions.length, 1)
  })

  it("is undecided for a suspicion, and tells what it would take", () => {
    const { because, verdict } = diagnose(quiet(30), [doubt])
    assert.strictEqual(verdict, "undecided")
    assert.strictEqual(because, "7 fibers live, but they may end; it would take a run of 60 s")
  })

  it("counts leaks, and takes notes for none", () => {
    const note = finding("heap-growth", { severity: "info" })
    const noted = diagnose(quiet(30), [warn(note)])
    assert.deepInclude(noted, { verdict: "ok", findings: [note] })
    const two = diagnose(quiet(30), [
      warn(finding("memory-growth", { site: { name: "load", file: "/app/src/db.ts" } }), finding("fiber-growth"))
    ])
    assert.deepInclude(two, { verdict: "leak", because: "2 leaks" })
  })

  it("says why there was nothing to observe", () => {
    const empty = Observation.make()
    assert.match(Diagnosis.diagnose(empty).because, /^no fiber of effect >=4\S+ <4\S+ ran/)
    const old = Observation.make()
    opening().slice(0, 1).forEach(old.take)
    old.take({ type: "unsupported", t: 1, what: "effect 3 at /app: fiberscope needs effect 4 or newer" })
    assert.deepInclude(Diagnosis.diagnose(old), {
      verdict: "undecided",
      because: "effect 3 at /app: fiberscope needs effect 4 or newer"
    })
  })

  const hostile = {
    [Symbol.toPrimitive]: () => {
      throw hostile
    }
  }
  it.each<[string, () => unknown, RegExp]>([
    ["throws an error", () => {
      throw new RangeError("out of hand")
    }, /^rule Bad: RangeError: out of hand$/],
    ["throws what cannot be printed", () => {
      throw hostile
    }, /^rule Bad: an error that cannot be printed$/],
    ["answers nothing", () => undefined, /^rule Bad: TypeError: returned something that is not a judgement$/],
    ["answers of an unknown kind", () => ({ _tag: "Maybe" }), /not a judgement/],
    ["warns without findings", () => ({ _tag: "Warn" }), /^rule Bad: TypeError/],
    [
      "warns with findings that are none",
      () => ({ _tag: "Warn", findings: [{ summary: "all is lost" }] }),
      /not a judgement/
    ],
    [
      "warns with numbers that are none",
      () => ({ _tag: "Warn", findings: [finding("memory-growth", { bytes: NaN })] }),
      /not a judgement/
    ],
    ["doubts without words", () => ({ _tag: "Recheck", suspicions: [{ rule: "Bad" }] }), /not a judgement/]
  ])("leaves out a rule that %s, and is not sure without it", (_, check, problem) => {
    const bad = rule("Bad", check)
    const { because, failed, findings, problems, suspicions, verdict } = diagnose(quiet(30), [
      rule("Fine", () => ({ _tag: "Ok" })),
      bad
    ])
    assert.strictEqual(verdict, "undecided")
    assert.match(because, /^part of the analysis failed: rule Bad: /)
    assert.strictEqual(problems.length, 1)
    assert.match(problems[0]!, problem)
    assert.deepStrictEqual({ failed, findings, suspicions }, { failed: [bad], findings: [], suspicions: [] })
    const guilty = diagnose(quiet(30), [bad, warn(finding("memory-growth"))])
    assert.strictEqual(guilty.verdict, "leak", "the others are heard all the same")
  })

  it("forgets a doubt about the heap floor when a leak explains it", () => {
    const floor: LeakRule = {
      ...rule("Floor", () => ({
        _tag: "Recheck",
        suspicions: [{ rule: "Floor", what: "the floor rises", why: "the cause is unknown", wouldTake: "more" }]
      })),
      explainedBy: { kinds: ["*"], where: "anywhere" }
    }
    assert.strictEqual(diagnose(quiet(30), [floor]).suspicions.length, 1)
    assert.strictEqual(diagnose(quiet(30), [floor, warn(finding("memory-growth"))]).suspicions.length, 0)
  })

  it("reads what was kept before the program was asked to end, and no more than counts after that", () => {
    const observation = leaky(30)
    const before = Diagnosis.diagnose(observation)
    observation.freeze()
    observation.take(
      tick(31_000, {
        fibers: { started: 150, ended: 150, abandoned: 0, live: 0, tenured: 0 },
        flow: [[2, 0, 0, 145, 0]]
      })
    )
    assert.deepStrictEqual(Diagnosis.diagnose(observation), before)
    assert.strictEqual(observation.lastTick?.fibers.live, 0)
  })
})
