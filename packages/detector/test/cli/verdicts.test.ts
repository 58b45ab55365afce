/** A leak on the command line: verdict, exit code, formats, accepted findings, exact lines. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isLeak } from "../../src/Finding.ts"
import type { Run } from "../support/Fiberscope.ts"
import { fiberscope, fixture, node } from "../support/Fiberscope.ts"

const fingerprint = "fiber-growth:handle@fixtures/leaks.mjs"
const observe = (...flags: ReadonlyArray<string>) =>
  fiberscope(node("leaks.mjs"), { flags: ["--for", "17s", ...flags] })

describe("fiberscope run, on a program that leaks", { timeout: 90_000 }, () => {
  let folder: string
  let pretty: Run
  let exact: Run
  let accepted: Run
  let expired: Run

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fiberscope-verdicts-"))
    const file = (name: string, until: string) => {
      const path = join(folder, name)
      writeFileSync(path, JSON.stringify([{ fingerprint, reason: "until the next release", until }]))
      return path
    }
    ;[pretty, exact, accepted, expired] = await Promise.all([
      observe(),
      observe("--sites", "all", "--format", "github"),
      observe("--accepted", file("accepted.json", "2999-12-31"), "--strict"),
      observe("--accepted", file("expired.json", "2020-01-31"), "--format", "markdown", "--error-exitcode", "77")
    ])
    return () => rmSync(folder, { recursive: true, force: true })
  }, 90_000)

  it("finds the leak, names its fork site and waiting line, and exits with 23", () => {
    assert.strictEqual(pretty.code, 23, pretty.stderr)
    assert.strictEqual(pretty.stdout.toString(), "serving\n")
    const [finding] = pretty.report!.findings.filter(isLeak)
    assert.strictEqual(pretty.report!.verdict, "leak")
    assert.strictEqual(finding!.kind, "fiber-growth")
    assert.strictEqual(finding!.site.name, "handle")
    assert.strictEqual(finding!.site.line, 8)
    assert.strictEqual(finding!.waits[0]!.file, fixture("leaks.mjs"))
    assert.strictEqual(finding!.waits[0]!.line, 5)
    assert.isAtLeast(finding!.count, 200)
    assert.isAbove(finding!.growth.perSecond, 10)
    assert.strictEqual(finding!.fingerprint, fingerprint)
    assert.strictEqual(finding!.survivors.length, 20)
  })

  it("shows the verdict, the leaking lines, the evidence, the row that decided and the fix, in this order", () => {
    const lines = pretty.stderr.split("\n")
    const verdict = lines.indexOf("fiberscope  LEAK")
    assert.match(lines[verdict + 1]!, /fibers forked in handle \(fixtures\/leaks\.mjs:8:\d+\) have not ended/)
    for (
      const part of [
        "grows ",
        "kept   by ",
        "born ",
        "why ",
        "by     check \"growing\"",
        "note ",
        "fix ",
        "docs/rules.md#fiber-growth"
      ]
    ) {
      assert.include(pretty.stderr, part)
    }
    assert.match(pretty.stderr, />\s+8 │ const handle = Effect/)
    assert.isTrue(lines.every((line) => line.length <= 100), "no line is longer than a terminal")
    assert.notInclude(pretty.stderr, "\u001b", "no colours on a pipe")
  })

  it("gives the line of the fork with --sites all, and its cost", () => {
    const [finding] = exact.report!.findings.filter(isLeak)
    assert.strictEqual(finding!.site.line, 9)
    assert.isAbove(exact.report!.processes[0]!.forkLines!.stacks, 200)
  })

  it("annotates the leaking line for GitHub", () => {
    assert.match(
      exact.stderr,
      /^::error file=\S*fixtures\/leaks\.mjs,line=9,col=\d+,title=Fiberscope%3A fiber-growth::\d+ fibers/m
    )
    assert.match(exact.stderr, /^::notice title=Fiberscope%3A leak::/m)
  })

  it("does not count a finding that is accepted until a future day", () => {
    assert.strictEqual(accepted.code, 24, accepted.stderr)
    assert.notStrictEqual(accepted.report!.verdict, "leak")
    assert.deepStrictEqual(accepted.report!.findings.find((finding) => finding.fingerprint === fingerprint)?.accepted, {
      reason: "until the next release",
      until: "2999-12-31"
    })
    assert.match(accepted.stderr, /accepted until 2999-12-31: .*until the next release/s)
  })

  it("counts a finding again when its accepted day has passed, in Markdown too", () => {
    assert.strictEqual(expired.code, 77)
    assert.include(expired.stderr, "## Fiberscope: leak")
    assert.match(expired.stderr, /### \d+ fibers forked in handle/)
  })

  it("leaves no processes and no files", () => {
    for (const run of [pretty, exact, accepted, expired]) assert.deepStrictEqual(run.left, { files: [], processes: [] })
  })

  it("refuses a malformed file of accepted findings before the program starts", async () => {
    const path = join(folder, "broken.json")
    writeFileSync(path, JSON.stringify([{ fingerprint }]))
    const run = await fiberscope(node("leaks.mjs"), { flags: ["--accepted", path] })
    assert.strictEqual(run.code, 125)
    assert.strictEqual(run.stdout.toString(), "")
    assert.match(run.stderr, /broken\.json: expected a list of .*"until": "YYYY-MM-DD"/)
  })
})
