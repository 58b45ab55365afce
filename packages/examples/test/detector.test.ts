/**
 * The detector finds every leaky example, names the guilty function, and accuses no fixed one. All it knows is the process.
 */
import { assert, describe, it } from "@effect/vitest"
import { isLeak } from "@fiberscope/detector/Finding"
import type { Kind } from "@fiberscope/detector/Finding"
import type { Report } from "@fiberscope/detector/Report"
import { observe } from "./support.ts"

const seconds = 30

/** The least after which the detector says that all is well. */
const enough = 25_000 // milliseconds

interface Leak {
  readonly pattern: string
  /** Any of these: which one comes first depends on how much was seen. */
  readonly kinds: ReadonlyArray<Kind>
  readonly site: string
}

const leaks: ReadonlyArray<Leak> = [
  { pattern: "background-tasks", kinds: ["fiber-growth"], site: "handleRequest" },
  { pattern: "uncancelled-workers", kinds: ["fiber-growth"], site: "session" },
  // The timers of the connections, or their buffers.
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

const accusesNothing = async (name: string): Promise<void> => {
  const first = await observe(name, seconds)
  // Where a busy machine took its time to start the program, too little was seen to tell a buffer that fills from one without a limit.
  const report = first.processes.every(({ durationMs }) => durationMs >= enough)
    ? first
    : await observe(name, 2 * seconds)
  assert.deepStrictEqual(report.findings.filter(isLeak), [])
  assert.include(["ok", "undecided"], report.verdict, report.because)
}

const accuses = async (leak: Leak): Promise<void> => {
  const name = `${leak.pattern}/leaky`
  const first = await observe(name, seconds)
  // What the report advises when it cannot tell, as on a machine that is busy: twice the time.
  const report = first.verdict === "undecided" ? await observe(name, 2 * seconds) : first
  assert.strictEqual(report.verdict, "leak", said(report))
  assert.isTrue(isFound(leak, report), said(report))
  for (const { site } of report.findings.filter(isLeak)) {
    assert.isTrue(site.file === undefined || site.file.endsWith(`${name}.ts`), said(report))
  }
}

describe.concurrent("fiberscope run", { timeout: 180_000 }, () => {
  it.each(leaks)("finds $pattern/leaky and accuses nothing in $pattern/fixed", async (leak) => {
    await Promise.all([accuses(leak), accusesNothing(`${leak.pattern}/fixed`)])
  })

  it("accuses nothing in leak-free-application", () => accusesNothing("leak-free-application/application"))
})
