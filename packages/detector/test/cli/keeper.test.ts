/** Heap snapshots on the command line: the keeper in every format, no secret in any output, and no file afterwards. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isLeak } from "../../src/Finding.ts"
import type { Report } from "../../src/report/Report.ts"
import { cli, fiberscope, node } from "../support/Fiberscope.ts"
import type { Run } from "../support/Fiberscope.ts"

/** Different spellings would find parts of it; the program puts it into keys, values, names of fields and long texts. */
const secret = "opensesame"

describe("fiberscope run, on a program with a growing container", { timeout: 120_000 }, () => {
  let folder: string
  let record: string
  let run: Run
  let report: Report
  let without: Run

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fiberscope-keeper-"))
    record = join(folder, "run.ndjson")
    const json = join(folder, "report.json")
    ;[run, without] = await Promise.all([
      fiberscope(node("secrets.mjs", secret), {
        report: false,
        flags: ["--for", "30s", "--record", record, "--json", json]
      }),
      fiberscope(node("secrets.mjs", secret), { flags: ["--for", "20s", "--heap", "never"] })
    ])
    report = JSON.parse(readFileSync(json, "utf8")) as Report
    return () => rmSync(folder, { recursive: true, force: true })
  }, 120_000)

  it("names the variable that keeps the objects, how many they are, and how few left", () => {
    assert.strictEqual(run.code, 23, run.stderr)
    const [finding] = report.findings.filter(isLeak)
    const kept = finding!.kept!
    assert.include(["sessions", "byToken"], kept.keeper)
    assert.match(kept.scope!.file!, /secrets\.mjs$/)
    assert.isAtLeast(kept.counts.length, 2)
    assert.isAbove(kept.counts.at(-1)!, kept.counts[0]!)
    assert.strictEqual(kept.gone, 0)
    assert.match(run.stderr, /kept {3}by (sessions|byToken) \(.*secrets\.mjs:\d+:\d+\)/)
  })

  it("says before and after what the snapshots cost", () => {
    assert.match(run.stderr, /each pauses the program for about [\d.]+ s; --heap never takes none/)
    assert.match(run.stderr.replaceAll(/\s+/g, " "), /3 heap snapshots paused it for \d+ ms/)
    assert.strictEqual(report.processes[0]!.heapSnapshots!.count, 3)
  })

  it("takes none with --heap never", () => {
    assert.isUndefined(without.report!.processes[0]!.heapSnapshots)
    assert.isTrue(without.report!.findings.every(({ kept }) => kept === undefined))
    assert.notInclude(without.stderr, "snapshot")
  })

  it("removes the files of the snapshots, and leaves none when it is over", () => {
    assert.deepStrictEqual(run.left.files, [])
  })

  it("puts no content of a string into any output", async () => {
    const outputs = await Promise.all(
      (["pretty", "json", "markdown", "github"] as const).map(async (format) =>
        (await cli("report", record, "--format", format)).stderr
      )
    )
    for (const text of [run.stderr, JSON.stringify(report), ...outputs]) {
      assert.match(text, /byToken|sessions/)
      assert.notInclude(withoutCommand(text), secret)
      assert.notInclude(text, "hunter2")
    }
    const growths = readFileSync(record, "utf8").split("\n").filter((line) => line.includes(`"type":"growth"`))
    assert.lengthOf(growths, 1)
    assert.notInclude(growths[0]!, secret)
  })

  it("records the comparison, so that a report made later has the same keepers", async () => {
    const later = await cli("report", record, "--format", "json")
    const { findings } = JSON.parse(later.stderr) as { findings: ReadonlyArray<{ kept?: { keeper: string } }> }
    assert.deepStrictEqual(
      findings.map(({ kept }) => kept?.keeper),
      report.findings.map(({ kept }) => kept?.keeper)
    )
  })
})

/** The program got the secret as an argument, which the report shows in its command. */
const withoutCommand = (text: string): string =>
  text.replaceAll(`secrets.mjs ${secret}`, "").replaceAll(`"${secret}"`, "")
