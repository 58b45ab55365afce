/**
 * The detector finds every leaky example and names the leaking function, and it reports no leak in a fixed one.
 */
import { assert, describe, it } from "@effect/vitest"
import { isLeak } from "@fiberscope/detector/Finding"
import type { Kind } from "@fiberscope/detector/Finding"
import type { Report } from "@fiberscope/detector/Report"
import { observe } from "./support.ts"

const seconds = 30

/** The shortest run for which the detector gives an ok. */
const enough = 25_000 // milliseconds

interface Leak {
  readonly pattern: string
  /** The accepted kinds. The first finding depends on how much was observed. */
  readonly kinds: ReadonlyArray<Kind>
  readonly site: string
}

const leaks: ReadonlyArray<Leak> = [
  { pattern: "background-tasks", kinds: ["fiber-growth"], site: "handleRequest" },
  { pattern: "uncancelled-workers", kinds: ["fiber-growth"], site: "session" },
  // It is found by the timers of the connections or by their buffers.
  { pattern: "rescheduling-connection", kinds: ["memory-growth", "resource-growth"], site: "poll" },
  { pattern: "unfinished-generator", kinds: ["memory-growth"], site: "readRows" },
  { pattern: "global-task-list", kinds: ["memory-growth"], site: "renderInvoice" },
  { pattern: "listeners", kinds: ["memory-growth"], site: "handleRequest" },
  { pattern: "unbounded-queue", kinds: ["memory-growth"], site: "placeOrder" }
]

const isFound = ({ kinds, site }: Leak, report: Report): boolean =>
  report.findings.some((finding) => isLeak(finding) && kinds.includes(finding.kind) && finding.site.name === site)

const said = ({ because, findings }: Report): string =>
  [because, ...findings.map(({ kind, site, summary }) => `${kind} at ${site.name}: ${summary}`)].join("\n")

const reportsNoLeak = async (name: string): Promise<void> => {
  const first = await observe(name, seconds)
  // If a busy machine started the program slowly, the run was too short to distinguish a filling buffer from an unbounded one.
  const report = first.processes.every(({ durationMs }) => durationMs >= enough)
    ? first
    : await observe(name, 2 * seconds)
  assert.deepStrictEqual(report.findings.filter(isLeak), [])
  assert.include(["ok", "undecided"], report.verdict, report.because)
}

const reportsLeak = async (leak: Leak): Promise<void> => {
  const name = `${leak.pattern}/leaky`
  const first = await observe(name, seconds)
  // An undecided report, as on a busy machine, advises a longer run: twice the time.
  const report = first.verdict === "undecided" ? await observe(name, 2 * seconds) : first
  assert.strictEqual(report.verdict, "leak", said(report))
  assert.isTrue(isFound(leak, report), said(report))
  for (const { site } of report.findings.filter(isLeak)) {
    assert.isTrue(site.file === undefined || site.file.endsWith(`${name}.ts`), said(report))
  }
}

describe.concurrent("fiberscope run", { timeout: 180_000 }, () => {
  it.each(leaks)("finds the leak in $pattern/leaky and none in $pattern/fixed", async (leak) => {
    await Promise.all([reportsLeak(leak), reportsNoLeak(`${leak.pattern}/fixed`)])
  })

  it("finds no leak in leak-free-application", () => reportsNoLeak("leak-free-application/application"))
})
