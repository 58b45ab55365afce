/**
 * The detector finds every leaky example, names the guilty function, and accuses no fixed one. All it knows is the process.
 */
import { assert, describe, it } from "@effect/vitest"
import { convicts } from "@fiberscope/detector/Finding"
import type { Kind } from "@fiberscope/detector/Finding"
import { observe } from "./support.ts"

// `ok` takes 25 seconds from the first fiber on, and a busy machine some to get there.
const seconds = 30

const guilty: ReadonlyArray<{ readonly pattern: string; readonly kind: Kind; readonly sites: ReadonlyArray<string> }> =
  [
    { pattern: "background-tasks", kind: "fiber-growth", sites: ["handleRequest"] },
    { pattern: "uncancelled-workers", kind: "fiber-growth", sites: ["session"] },
    { pattern: "rescheduling-connection", kind: "memory-growth", sites: ["poll"] },
    { pattern: "unfinished-generator", kind: "memory-growth", sites: ["readRows"] },
    { pattern: "global-task-list", kind: "memory-growth", sites: ["renderInvoice"] },
    { pattern: "listeners", kind: "memory-growth", sites: ["handleRequest"] },
    { pattern: "unbounded-queue", kind: "memory-growth", sites: ["placeOrder"] }
  ]

/** Does what the report says when it cannot tell: it takes a run that is twice as long. */
const decided = async (name: string) => {
  const report = await observe(name, seconds)
  return report.verdict === "undecided" ? observe(name, 2 * seconds) : report
}

describe.concurrent("fiberscope run", { timeout: 180_000 }, () => {
  it.each(guilty)("finds $pattern/leaky and accuses nothing in $pattern/fixed", async ({ kind, pattern, sites }) => {
    const [leaky, fixed] = await Promise.all([
      decided(`${pattern}/leaky`),
      observe(`${pattern}/fixed`, seconds)
    ])
    assert.strictEqual(leaky.verdict, "leak", leaky.because)
    const found = leaky.findings.filter(convicts)
    assert.strictEqual(found[0]?.kind, kind)
    assert.include(sites, found[0]?.site.name)
    for (const { site } of found) assert.match(site.file ?? "", new RegExp(`${pattern}/leaky\\.ts$`))
    assert.deepStrictEqual(fixed.findings.filter(convicts), [])
    assert.include(["ok", "undecided"], fixed.verdict, fixed.because)
  })
})
