/**
 * All programs of the corpus, judged again from their recordings of 30 seconds by the rules of today. The verdicts stand in
 * `verdicts.json`: a change of a rule shows in its diff. `UPDATE_VERDICTS=1 npm run unit -- replay` writes it anew.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync, writeFileSync } from "node:fs"
import process from "node:process"
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import type { Verdict } from "../../src/diagnosis/Diagnosis.ts"
import { isLeak } from "../../src/Finding.ts"
import * as Report from "../../src/report/Report.ts"
import { programs } from "../corpus/manifest.ts"
import { recorded } from "./recordings.ts"
import type { RecordingSet } from "./recordings.ts"

/** The least number of leaks that are found and of healthy programs that are called ok. */
const least: Readonly<Record<RecordingSet, { readonly found: number; readonly ok: number }>> = {
  recordings: { found: 84, ok: 167 },
  snapshots: { found: 88, ok: 168 }
}

const verdictsOf: Readonly<Record<RecordingSet, URL>> = {
  recordings: new URL("verdicts.json", import.meta.url),
  snapshots: new URL("verdicts-with-snapshots.json", import.meta.url)
}

const replayed = (set: RecordingSet): Readonly<Record<string, string>> => {
  const out: Record<string, string> = {}
  for (const { durationMs, end, name, observations } of recorded(() => false, set)) {
    const processes = observations.map((observation) => ({ observation, diagnosis: diagnose(observation) }))
    const { findings, verdict } = Report.make({ processes, end, durationMs, version: "" })
    const finding = findings.find(isLeak)
    const kept = finding?.kept === undefined ? "" : `, kept by ${finding.kept.keeper}`
    out[name] = finding === undefined ? verdict : `${verdict} (${finding.kind}, ${finding.decided?.row}${kept})`
  }
  return out
}

describe("the corpus, recorded", { timeout: 120_000 }, () => {
  it.each(["recordings", "snapshots"] as const)("has the verdicts that it had, in the set of %s", (set) => {
    const verdicts = replayed(set)
    const file = verdictsOf[set]
    if (process.env["UPDATE_VERDICTS"] === "1") writeFileSync(file, `${JSON.stringify(verdicts, null, 2)}\n`)
    assert.deepStrictEqual(verdicts, JSON.parse(readFileSync(file, "utf8")))
    assert.deepStrictEqual(Object.keys(verdicts), programs.map(({ name }) => name))
    const said = (expected: Verdict, verdict: Verdict): number =>
      programs.filter((one) => one.expected === expected && !one.slow && verdicts[one.name]!.startsWith(verdict)).length
    // No healthy program is called a leak; of the leaks at least these are found.
    assert.strictEqual(said("ok", "leak"), 0)
    assert.isAtLeast(said("leak", "leak"), least[set].found)
    assert.isAtLeast(said("ok", "ok"), least[set].ok)
  })
})
