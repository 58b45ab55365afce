import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Diagnosis from "../../src/diagnosis/Diagnosis.ts"
import * as Observation from "../../src/observation/Observation.ts"
import * as Report from "../../src/report/Report.ts"
import { finding } from "../support/finding.ts"
import type { Life } from "../support/simulate.ts"
import { observe, opening, place, readings, tick } from "../support/simulate.ts"

const end: Report.ProgramEnd = {
  command: ["node", "app.mjs"],
  code: undefined,
  signal: "SIGTERM",
  stoppedByTool: true
}

const make = (observations: ReadonlyArray<Observation.Observation>, different?: Partial<Report.ProgramEnd>) =>
  Report.make({
    processes: observations.map((observation) => ({ observation, diagnosis: Diagnosis.diagnose(observation) })),
    end: { ...end, ...different },
    durationMs: 30_123.4,
    version: "0.1.0"
  })

const encode = Schema.encodeUnknownSync(Report.Report)
const decode = Schema.decodeUnknownSync(Report.Report)
const read = (text: string) => decode(JSON.parse(text), { onExcessProperty: "error" })

const leaking = (): Observation.Observation => {
  const lives = Array.from({ length: 150 }, (_, i): Life => [i * 200, Infinity])
  const stack = [place("store", "file:///app/src/store.ts", 3), place("handler", "/app/src/handler.ts", 7)]
  return observe(30, { handler: lives }, {
    more: readings(30, [{ frames: stack, lives }]),
    tick: (t) => ({
      fibers: { started: t / 100, ended: t / 200, abandoned: 0, live: t / 200, tenured: t / 200 },
      floors: [{ t, bytes: 2e7 + 1000 * t, forced: true }]
    })
  })
}

const quiet = (seconds: number, pid = 42): Observation.Observation => {
  const observation = Observation.make()
  opening({ pid }).forEach(observation.take)
  for (let t = 1000; t <= seconds * 1000; t += 1000) observation.take(tick(t))
  readings(seconds, []).forEach(observation.take)
  return observation
}

describe("Report", () => {
  it("is read back as it was written", () => {
    const report = make([leaking(), quiet(30, 43)])
    assert.strictEqual(report.verdict, "leak")
    assert.isAbove(report.findings.length, 0)
    assert.deepStrictEqual(read(JSON.stringify(encode(report))), report)
  })

  it("is read back with and without its optional fields", () => {
    for (
      const different of [
        { code: 3, signal: undefined, stoppedByTool: false },
        { code: undefined, signal: undefined, stoppedByTool: false }
      ]
    ) {
      const report = {
        ...make([], different),
        findings: [finding("memory-growth", { site: { name: "(the process)" } })]
      }
      assert.deepStrictEqual(read(JSON.stringify(encode(report))), report)
    }
  })

  it("is refused when it has another version, or is not a report", () => {
    const encoded = encode(make([leaking()])) as Record<string, unknown>
    assert.throws(() => decode({ ...encoded, version: 2 }), /version/)
    assert.throws(() => decode({ ...encoded, verdict: "fine" }), /verdict/)
    assert.throws(() => decode({}), /version/)
  })

  it("has the verdict of the worst of the processes, and its signals", () => {
    const ok = quiet(30, 1)
    const short = quiet(10, 2)
    const leak = leaking()
    assert.deepStrictEqual([make([ok]), make([short]), make([ok, short, leak])].map(({ verdict }) => verdict), [
      "ok",
      "undecided",
      "leak"
    ])
    const report = make([ok, short, leak])
    assert.match(report.because, /^\d+ fibers forked in handler/)
    assert.strictEqual(report.signals["fibers.live"]?.points.at(-1)?.[1], 150)
    assert.deepStrictEqual(report.processes.map(({ pid, verdict }) => [pid, verdict]), [
      [1, "ok"],
      [2, "undecided"],
      [42, "leak"]
    ])
  })

  it("ignores a thread that is too young beside one that can be judged, and mentions it", () => {
    const { because, verdict } = make([quiet(30, 1), quiet(5, 2), quiet(5, 3)])
    assert.strictEqual(verdict, "ok")
    assert.match(because, /; 2 threads or processes were too young to be judged$/)
    assert.strictEqual(make([quiet(20, 1), quiet(5, 2)]).verdict, "undecided")
  })

  it("has the signals with their units, from the first reading to the last", () => {
    const { signals } = make([leaking()])
    assert.deepStrictEqual(
      Object.entries(signals).map(([name, { points, unit }]) => [name, unit, points.length]),
      [
        ["fibers.live", "fibers", 30],
        ["fibers.started", "fibers", 30],
        ["fibers.ended", "fibers", 30],
        ["fibers.abandoned", "fibers", 30],
        ["heap.floor", "bytes", 30],
        ["heap.used", "bytes", 30],
        ["rss", "bytes", 30],
        ["external", "bytes", 30],
        ["arrayBuffers", "bytes", 30],
        ["eventloop.delay", "ms", 30],
        ["eventloop.utilization", "share", 30],
        ["gc.pause", "ms", 30]
      ]
    )
    assert.deepStrictEqual(signals["heap.floor"]?.points[0], [1000, 2.1e7])
  })

  it("leaves out processes that ran no fiber, unless there are no others", () => {
    const parent = Observation.make()
    parent.take({ ...opening({ pid: 7 })[0]!, ppid: 1 } as Parameters<typeof parent.take>[0])
    parent.take({ type: "unsupported", t: 1, what: "effect 3 at /app: fiberscope needs effect 4 or newer" })
    assert.deepStrictEqual(make([parent, quiet(30)]).processes.map(({ pid }) => pid), [42])
    const alone = make([parent])
    assert.deepStrictEqual(alone.processes.map(({ pid }) => pid), [7])
    assert.strictEqual(alone.because, "effect 3 at /app: fiberscope needs effect 4 or newer")
  })

  it("gives the reason why no process was seen", () => {
    assert.match(make([]).because, /^no fiber of effect was seen in any process of the program/)
  })

  it("lists the versions once, and names a copy of unknown version by its place", () => {
    const observation = quiet(30)
    observation.take({ type: "copy", t: 5, where: "file:///app/dist/server.js" })
    const report = make([observation, quiet(30)])
    assert.deepStrictEqual(report.versions, {
      fiberscope: "0.1.0",
      node: "v24.0.0",
      effect: ["4.1.0", "of an unknown version (server.js)"]
    })
  })

  it("lists the parts that were switched off", () => {
    const observation = quiet(30)
    observation.take({ type: "problem", t: 5, probe: "memory", message: "TypeError: no memory" })
    assert.deepStrictEqual(make([observation]).processes[0]?.problems, ["memory: TypeError: no memory"])
  })
})
