import { assert, describe, expect, it } from "@effect/vitest"
import type { Report } from "../../src/report/Report.ts"
import { ansi, plain, styleFor } from "../../src/report/Style.ts"
import { renderText } from "../../src/report/text.ts"
import { finding } from "../support/finding.ts"
import { random, seeds } from "../support/random.ts"

const series = (unit: string, value: (second: number) => number) => ({
  unit,
  points: Array.from({ length: 30 }, (_, second) => [second * 1000, value(second)] as const)
})

const process = {
  pid: 42,
  thread: 0,
  argv: ["/usr/bin/node", "/app/src/server.ts"],
  node: "v24.0.0",
  effect: ["4.1.0"],
  verdict: "ok",
  because: "no leak found in 30 s (detection limit: 25 KB/s in one function)",
  durationMs: 30_000,
  fibers: { started: 12_345, ended: 12_200, abandoned: 0, live: 145 },
  readings: { count: 12, pausedMs: 345.6 },
  signals: {},
  problems: []
} as const

const ok: Report = {
  version: 1,
  verdict: "ok",
  because: process.because,
  findings: [],
  undecided: [],
  signals: {
    "fibers.live": series("fibers", (second) => 10 + second % 3),
    "heap.floor": series("bytes", () => 2e7),
    "rss": series("bytes", (second) => 8e7 + second * 1e5)
  },
  durationMs: 30_456,
  program: { command: ["node", "server.ts"], stoppedByTool: true },
  processes: [process],
  versions: { fiberscope: "0.1.0", node: "v24.0.0", effect: ["4.1.0"] }
}

const fibers = finding("fiber-growth", {
  summary: "1240 fibers forked in handler (src/server.ts:42:7) have not ended",
  chain: [{ name: "handler", file: "/app/src/server.ts", line: 42, column: 7 }, {
    name: "serve",
    file: "/app/src/main.ts",
    line: 9
  }],
  waits: [{ name: "(anonymous)", file: "/app/src/jobs.ts", line: 37, column: 9 }],
  count: 1240,
  bytes: 3_400_000,
  growth: { perSecond: 41.3, unit: "fibers" },
  survivors: [4, 4, 4, 4, 4, 4, 4, 4],
  evidence: [
    {
      label: "arrivals and departures",
      text: "of the fibers that got older than 4 s, 537 arrived in the late half of the run and 0 ended (z = 23.2)"
    },
    { label: "waits", text: "5 of those looked at wait at src/jobs.ts:37:9" }
  ],
  cannotShow: "Whether they would end later than this run took to look.",
  fix: "In handler: fork in a scope that ends with the work (Effect.forkScoped or FiberSet instead of forkDetach)."
})

const leak: Report = {
  ...ok,
  verdict: "leak",
  because: fibers.summary,
  findings: [fibers],
  signals: {
    "fibers.live": series("fibers", (second) => second * 41),
    "heap.floor": series("bytes", (second) => 2e7 + second * 113_000)
  },
  processes: [{ ...process, verdict: "leak", because: fibers.summary }]
}

const undecided: Report = {
  ...ok,
  verdict: "undecided",
  because: "9 s are too short to call anything ok; it would take a run of 30 s",
  undecided: [{
    rule: "FiberGrowth",
    what: "14 fibers of poll (src/jobs.ts:3:9) live",
    why: "too few so far to tell growth from chance",
    wouldTake: "a run of 60 s"
  }],
  findings: [
    finding("heap-growth", {
      severity: "info",
      summary: "the heap floor grew from 10.0 MB to 20.0 MB, more than 1.5 times",
      cannotShow: "Whether it goes on."
    })
  ],
  signals: {},
  processes: [
    { ...process, verdict: "undecided", problems: ["memory: TypeError: no memory"] },
    { ...process, verdict: "ok", pid: 43, thread: 2 }
  ]
}

const source = (file: string) =>
  file === "/app/src/server.ts"
    ? [
      ...Array(39).fill(""),
      "const start = Effect.fn(\"start\")(function*() {",
      "  const jobs = yield* Jobs",
      "  yield* Effect.forkDetach(jobs.poll)",
      "  return ok",
      "})"
    ].join("\n")
    : undefined

describe("report/text", () => {
  it("shows an ok with its limits", () => {
    expect(renderText(ok)).toMatchInlineSnapshot(`
      "
      fiberscope  OK
        no leak found in 30 s (detection limit: 25 KB/s in one function)

        live fibers  ▁▄█▁▄█▁▄█▁▄█▁▄█▁▄█▁▄█▁▄█▁▄█▁▄█                    10 → 12
        heap floor   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                    19.1 MB (lowest) → 19.1 MB
        rss          ▁▁▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇████                    76.3 MB → 79.1 MB

        node server.ts
        30.5 s · 12 345 fibers started · 12 heap readings paused it for 346 ms (1.1 %) · effect 4.1.0 ·
        node v24.0.0 · fiberscope 0.1.0
      "
    `)
  })

  it("shows a leak with its place, its size, its evidence and its fix", () => {
    expect(renderText(leak, { source })).toMatchInlineSnapshot(`
      "
      fiberscope  LEAK
        1240 fibers forked in handler (src/server.ts:42:7) have not ended

        live fibers  ▁▁▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇████                    0 → 1 189
        heap floor   ▁▁▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇████                    19.1 MB (lowest) → 22.2 MB

        1  1240 fibers forked in handler (src/server.ts:42:7) have not ended
             40 │ const start = Effect.fn("start")(function*() {
             41 │   const jobs = yield* Jobs
           > 42 │   yield* Effect.forkDetach(jobs.poll)
             43 │   return ok
             44 │ })
           at     handler (src/server.ts:42:7)
           from   serve (src/main.ts:9)
           waits  src/jobs.ts:37:9
           grows  41 fibers/s (148 680/h), holds at least 3.2 MB
           born   ████████ alive now, by time of birth (start → end of the run)
           why    arrivals and departures: of the fibers that got older than 4 s, 537 arrived in the late
                  half of the run and 0 ended (z = 23.2)
           by     check "growing" of docs/rules.md: 4.2 standard deviations above chance
           note   this cannot show Whether they would end later than this run took to look.
           fix    In handler: fork in a scope that ends with the work (Effect.forkScoped or FiberSet
                  instead of forkDetach).
           more   docs/rules.md#fiber-growth
           key    fiber-growth:handler@src/server.ts (to accept this, add it to fiberscope.accepted.json)

        next: --for 2m observes longer, --sites all finds the exact line of each fork, --json <file>
        writes all numbers
        node server.ts
        30.5 s · 12 345 fibers started · 12 heap readings paused it for 346 ms (1.1 %) · effect 4.1.0 ·
        node v24.0.0 · fiberscope 0.1.0
      "
    `)
  })

  it("shows undecided suspicions, and the parts that were not observed", () => {
    expect(renderText(undecided, { width: 80 })).toMatchInlineSnapshot(`
      "
      fiberscope  UNDECIDED
        9 s are too short to call anything ok; it would take a run of 30 s

        undecided  pid 42  /app/src/server.ts: 12 345 fibers started, 145 live; no
        leak found in 30 s (detection limit: 25 KB/s in one function)
        ok         pid 43, worker 2  /app/src/server.ts: 12 345 fibers started, 145
        live; no leak found in 30 s (detection limit: 25 KB/s in one function)

        note: the heap floor grew from 10.0 MB to 20.0 MB, more than 1.5 times.
        Whether it goes on.

        undecided
          14 fibers of poll (src/jobs.ts:3:9) live: too few so far to tell growth from
          chance. To decide: a run of 60 s.

        node server.ts
        30.5 s · 24 690 fibers started · 24 heap readings paused it for 691 ms (2.3 %)
        · effect 4.1.0 · node v24.0.0 · fiberscope 0.1.0
        not observed: memory: TypeError: no memory
      "
    `)
  })

  it("shows an accepted finding, and no leak", () => {
    const accepted = { ...fibers, accepted: { reason: "until the new pool is in", until: "2999-01-01" } }
    const text = renderText({ ...ok, findings: [accepted] }).replaceAll(/\s+/g, " ")
    assert.match(
      text,
      /accepted until 2999-01-01: 1240 fibers .*until the new pool is in; fiber-growth:handler@src\/server\.ts/
    )
    assert.notMatch(text, /LEAK/)
  })

  it("is never wider than its width", () => {
    for (const seed of seeds(100)) {
      const { integer, pick } = random(seed)
      const width = integer(24, 160)
      const text = renderText(pick([ok, leak, undecided]), { width, source })
      for (const line of text.split("\n")) {
        assert.isAtMost(line.length, width, `width ${width}: ${line}`)
      }
    }
  })

  it("reports an unexpected end of the program", () => {
    const first = (program: Partial<Report["program"]>) =>
      renderText({ ...ok, program: { ...ok.program, ...program } }).split("\n\n")[0]
    assert.match(first({ stoppedByTool: false, code: 3 })!, /the program ended by itself with code 3$/)
    assert.match(first({ stoppedByTool: false, code: 130 })!, /the program ended after SIGINT with code 130$/)
    assert.match(first({ stoppedByTool: false, signal: "SIGABRT" })!, /the program was ended by SIGABRT$/)
    assert.match(first({ signal: "SIGKILL" })!, /did not end in time after SIGTERM and was killed$/)
    for (const program of [{}, { stoppedByTool: false, code: 0 }, { signal: "SIGTERM" }]) {
      assert.notMatch(first(program)!, /the program/)
    }
  })

  it("names places and pages by paths that the reader can open", () => {
    const text = renderText(leak, { locate: (file) => file.replace("/app/", "../").replace("docs/", "../../docs/") })
    assert.include(text, "at     handler (../src/server.ts:42:7)")
    assert.include(text, "waits  ../src/jobs.ts:37:9")
    assert.include(text, "more   ../../docs/rules.md#fiber-growth")
  })

  it("is the same text with and without colours", () => {
    for (const report of [ok, leak, undecided]) {
      const coloured = renderText(report, { style: ansi, source })
      assert.include(coloured, "\u001b[")
      // oxlint-disable-next-line no-control-regex -- that is what colours are
      assert.strictEqual(coloured.replaceAll(/\u001b\[\d+m/g, ""), renderText(report, { style: plain, source }))
    }
  })
})

describe("report/Style", () => {
  it("has colours for terminals, unless NO_COLOR is set, and for pipes with FORCE_COLOR", () => {
    const choices: ReadonlyArray<readonly [boolean, Record<string, string>, typeof plain]> = [
      [true, {}, ansi],
      [false, {}, plain],
      [true, { NO_COLOR: "1" }, plain],
      [true, { NO_COLOR: "" }, ansi],
      [true, { TERM: "dumb" }, plain],
      [false, { FORCE_COLOR: "1" }, ansi],
      [false, { FORCE_COLOR: "0" }, plain],
      [true, { NO_COLOR: "1", FORCE_COLOR: "1" }, plain]
    ]
    for (const [terminal, env, style] of choices) {
      assert.strictEqual(styleFor(terminal, env), style, JSON.stringify(env))
    }
  })
})
