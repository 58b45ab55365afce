import { assert, describe, it } from "@effect/vitest"
import type { Report } from "../../src/report/Report.ts"
import { differences, differentAnswers, differentLines, near, normalise } from "./compare.ts"
import type { Behaviour } from "./compare.ts"
import { edited } from "./install.ts"
import { judge, limitOf, seen } from "./judge.ts"
import { programs } from "./manifest.ts"
import type { Program } from "./Program.ts"
import { accountOf, contradicts, rate } from "./witness.ts"

const quiet: Behaviour = { output: "", answers: [], ending: { code: 0, signal: undefined, ms: 10 }, ready: true }

const program: Program = {
  name: "one",
  packages: [],
  effect: "4.1.0",
  style: "",
  driven: "",
  start: () => ["node"],
  end: "SIGTERM",
  truth: { verdicts: ["ok"], why: "it keeps nothing" }
}

const site = { name: "handle", file: "src/app.ts", line: 3, column: 1 }

const report = (
  verdict: Report["verdict"],
  options: { readonly started?: number; readonly effect?: string; readonly because?: string } = {}
) =>
  ({
    verdict,
    because: options.because ?? "so it is",
    findings: verdict === "leak"
      ? [{ severity: "error", site, chain: [], waits: [], summary: "3 fibers have not ended" }]
      : [],
    versions: { effect: [options.effect ?? "4.1.0"] },
    processes: [{ fibers: { started: options.started ?? 3 }, problems: [] }]
  }) as unknown as Report

describe("what differs between two runs", () => {
  it("leaves out times, fiber numbers, ports, identifiers, colours and the folder", () => {
    const text = (time: string, fiber: number, port: number) =>
      `\u001b[32m[${time}]\u001b[0m INFO (#${fiber}) on http://127.0.0.1:${port} in /tmp/a/b took 12ms ${crypto.randomUUID()}`
    const one = normalise(text("17:29:37.364", 2, 3000), "/tmp/a")
    assert.strictEqual(one, normalise(text("03:00:00.001", 14, 41234), "/tmp/a"))
    assert.include(one, "INFO (#fiber)")
    assert.include(one, "<folder>/b")
  })

  it("keeps numbers that say something", () => {
    assert.notStrictEqual(normalise("count: 12"), normalise("count: 13"))
    assert.notStrictEqual(normalise("status 200"), normalise("status 500"))
  })

  it("counts lines, whatever their order", () => {
    assert.deepStrictEqual(differentLines("a\nb\na\n", "a\na\nb\n"), [])
    assert.lengthOf(differentLines("a\na\n", "a\n"), 1)
    assert.lengthOf(differentLines("a\n", "b\n"), 2)
  })

  it("lets timed lines differ by a little, and not by much", () => {
    const lines = (count: number) => "tick\n".repeat(count)
    assert.deepStrictEqual(differentLines(lines(10), lines(11), { timed: /tick/ }), [])
    assert.lengthOf(differentLines(lines(10), lines(2), { timed: /tick/ }), 1)
    assert.lengthOf(differentLines(lines(10), lines(11), { timed: /other/ }), 1)
    assert.isFalse(near(100, 50))
  })

  it("leaves out ignored lines", () => {
    assert.deepStrictEqual(differentLines("a\nfirst\n", "a\n", { ignored: /first/ }), [])
  })

  it("compares answers in their order, and their number", () => {
    const one = [{ request: "GET /", answer: "200 a" }, { request: "GET /", answer: "200 b" }]
    assert.deepStrictEqual(differentAnswers(one, one), [])
    assert.lengthOf(differentAnswers(one, one.toReversed()), 2)
    assert.lengthOf(differentAnswers(one, one.slice(0, 1)), 1)
  })

  it("tells an end with another code, another signal, or much later", () => {
    const ending = (change: Partial<Behaviour["ending"]>) =>
      differences(quiet, { ...quiet, ending: { ...quiet.ending, ...change } })
    assert.deepStrictEqual(ending({}), [])
    assert.deepStrictEqual(ending({ code: 1 }), ["it ended with code 0 without and with code 1 with the tool"])
    assert.lengthOf(ending({ code: undefined, signal: "SIGKILL" }), 1)
    assert.lengthOf(ending({ ms: 9000 }), 1)
  })

  it("tells a program that is not ready any more", () => {
    assert.lengthOf(differences(quiet, { ...quiet, ready: false }), 1)
  })
})

describe("what a report saw", () => {
  it("wants fibers and the right version", () => {
    assert.isUndefined(seen(program, report("ok")).problem)
    assert.include(seen(program, report("ok", { started: 0 })).problem, "no fibers")
    assert.include(seen(program, report("ok", { effect: "4.0.0" })).problem, "4.0.0 was reported")
    assert.include(seen(program, undefined).problem, "no report")
  })

  it("takes a true reason for having seen nothing", () => {
    const blind = { ...program, unseen: /unknown shape/ }
    const because = "an effect of an unknown shape"
    assert.isUndefined(seen(blind, report("undecided", { started: 0, because })).problem)
    assert.strictEqual(judge(blind, report("undecided", { started: 0, because })).is, "true")
    assert.include(seen(blind, report("undecided", { started: 0 })).problem, "no fibers")
  })
})

describe("whether a verdict is true", () => {
  const leaks: Program = { ...program, truth: { verdicts: ["leak"], why: "it keeps all", named: /handle/ } }

  it("is for the verdicts of the truth, and unsure for one that is not reached", () => {
    assert.strictEqual(judge(program, report("ok")).is, "true")
    assert.strictEqual(judge(program, report("undecided")).is, "unsure")
    assert.strictEqual(judge(program, report("leak")).is, "untrue")
    assert.strictEqual(judge(leaks, report("ok")).is, "untrue")
  })

  it("is unsure of an `ok` whose limit is above the leak", () => {
    const slow: Program = { ...leaks, truth: { ...leaks.truth, bytesPerSecond: 5000 } }
    const ok = (limit: string) => report("ok", { because: `no leak found (detection limit: ${limit} in one function)` })
    assert.strictEqual(judge(slow, ok("9 KB/s")).is, "unsure")
    assert.strictEqual(judge(slow, ok("4 KB/s")).is, "untrue")
    assert.strictEqual(judge(slow, ok("5001 B/s")).is, "unsure")
    assert.strictEqual(judge(leaks, ok("9 KB/s")).is, "untrue")
    assert.strictEqual(limitOf("nothing is known of it"), undefined)
  })

  it("wants a leak to be named", () => {
    assert.strictEqual(judge(leaks, report("leak")).is, "true")
    assert.strictEqual(judge({ ...leaks, truth: { ...leaks.truth, named: /other/ } }, report("leak")).is, "untrue")
  })
})

describe("what the witness counted", () => {
  const look = (at: number, heapUsed: number) => ({ pid: 1, thread: 0, at, heapUsed })
  const looks = [
    look(5, 10_000),
    look(10, 11_000),
    look(15, 12_000),
    { pid: 1, thread: 0, at: 8, classes: { Session: [10, 100], Map: [5, 50] } as const },
    { pid: 1, thread: 0, at: 14, classes: { Session: [90, 900], Map: [5, 50] } as const },
    { pid: 2, thread: 0, at: 1, heapUsed: 99_000 }
  ]

  it("is of the thread with the largest heap of those that live long", () => {
    const account = accountOf(looks)
    assert.deepStrictEqual(account.classes.get("Session"), [10, 90])
    assert.strictEqual(rate(account.heap), 200)
  })

  it("contradicts a truth that it does not show", () => {
    const account = accountOf(looks)
    const truth = program.truth
    assert.isUndefined(contradicts(account, { ...truth, grows: ["Session", 80], steady: ["Map", 0] }))
    assert.include(contradicts(account, { ...truth, grows: ["Session", 81] }), "Session grew by 80")
    assert.include(contradicts(account, { ...truth, steady: ["Session", 5] }), "at most 5")
    assert.isUndefined(contradicts(accountOf([]), { ...truth, grows: ["Session", 81] }))
  })
})

describe("the manifest", () => {
  it("pins every package to one version, and has at least ten programs of different names", () => {
    assert.isAtLeast(programs.length, 10)
    assert.strictEqual(new Set(programs.map(({ name }) => name)).size, programs.length)
    for (const { packages } of programs) {
      for (const spec of packages) assert.match(spec, /^(@[^/]+\/)?[^@]+@\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/)
    }
  })

  it("edits only what is there once", () => {
    assert.strictEqual(edited("port: 3000", [["3000", "$&"]]), "port: $&")
    assert.throws(() => edited("a a", [["a", "b"]]), "2 times")
    assert.throws(() => edited("a", [["b", "c"]]), "0 times")
  })
})
