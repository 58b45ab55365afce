import { assert, describe, it } from "@effect/vitest"
import { FindingLog } from "../../src/diagnosis/FindingLog.ts"
import { finding } from "../support/finding.ts"

const said = (log: FindingLog, ...counts: ReadonlyArray<number>): ReadonlyArray<string> =>
  log.take(counts.map((count) => finding("fiber-growth", { count }))).map(({ _tag }) => _tag)

describe("FindingLog", () => {
  it("reports what two judgements in a row found, and takes it back when two did not", () => {
    const log = new FindingLog()
    assert.deepStrictEqual(said(log, 5), [])
    assert.deepStrictEqual(said(log, 5), ["Began"])
    assert.deepStrictEqual(said(log), [])
    assert.deepStrictEqual(said(log, 5), [])
    assert.deepStrictEqual(said(log), [])
    assert.deepStrictEqual(said(log), ["Ended"])
    assert.deepStrictEqual(log.open, [])
  })

  it("forgets what one judgement found and the next did not", () => {
    const log = new FindingLog()
    assert.deepStrictEqual([said(log, 5), said(log), said(log, 5), said(log, 5)], [[], [], [], ["Began"]])
  })

  it("reports it again when it is ten times as large", () => {
    const log = new FindingLog()
    said(log, 5)
    assert.deepStrictEqual([said(log, 5), said(log, 49), said(log, 50), said(log, 499)], [["Began"], [], ["Grew"], []])
  })
})
