/** The report of `fiberscope heap`, with hostile strings in each field. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { columnsOf } from "../../src/report/Columns.ts"
import { renderHeapGithub } from "../../src/report/heap/github.ts"
import { HeapReport } from "../../src/report/heap/HeapReport.ts"
import { renderHeapMarkdown } from "../../src/report/heap/markdown.ts"
import { renderHeapText } from "../../src/report/heap/text.ts"
import { controls, hostile, valueOf } from "../support/hostile.ts"
import { assertIsText, shape } from "../support/rendered.ts"

const decode = Schema.decodeUnknownSync(HeapReport)
const reportOf = (text: string) => decode(valueOf(HeapReport.ast, 3, () => text))
const reports = hostile.map((text) => [JSON.stringify(text.slice(0, 40)), reportOf(text)] as const)

describe("a heap whose classes and variables have hostile names", () => {
  it("gives text in lines that fit", () => {
    for (const [name, report] of reports) {
      for (const width of [24, 100]) {
        const text = renderHeapText(report, { width })
        assertIsText(text, name)
        for (const line of text.split("\n")) assert.isAtMost(columnsOf(line), width, `${name}: ${line}`)
      }
    }
  })

  it("gives a page with the same structure as any other report", () => {
    const expected = shape(renderHeapMarkdown(reportOf("word")))
    for (const [name, report] of reports) {
      const page = renderHeapMarkdown(report)
      assertIsText(page, name)
      assert.deepStrictEqual(shape(page), expected, `${name}\n${page}`)
    }
  })

  it("gives one workflow command for each path, and one for the heap", () => {
    for (const [name, report] of reports) {
      const text = renderHeapGithub(report)
      assert.notMatch(text, controls, name)
      const kinds = text.trimEnd().split("\n").map((line) => /^::(\w+) /.exec(line)?.[1])
      assert.deepStrictEqual(kinds, ["warning", "warning", "warning", "notice"], name)
    }
  })
})
