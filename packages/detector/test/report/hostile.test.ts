/** Text of the program is only data in every rendering: each field of a report has hostile strings. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readdirSync } from "node:fs"
import type { Message } from "../../src/agent/Protocol.ts"
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import * as Observation from "../../src/observation/Observation.ts"
import { columnsOf } from "../../src/report/Columns.ts"
import { renderGithub } from "../../src/report/github.ts"
import { renderJson } from "../../src/report/json.ts"
import { renderLive } from "../../src/report/Live.ts"
import { renderMarkdown } from "../../src/report/markdown.ts"
import { Report } from "../../src/report/Report.ts"
import { ansi } from "../../src/report/Style.ts"
import { renderText } from "../../src/report/text.ts"
import { controls, hostile, valueOf } from "../support/hostile.ts"
import { random, seeds } from "../support/random.ts"
import { assertIsText, isCommand, shape } from "../support/rendered.ts"
import { opening, place, tick } from "../support/simulate.ts"

const decode = Schema.decodeUnknownSync(Report)

/** A report with these texts and a given number of items in each list. The verdict `leak` needs findings that are not accepted. */
const reportOf = (items: number, text: (path: string) => string): Report => {
  const report = decode(valueOf(Report.ast, items, text))
  return {
    ...report,
    findings: report.findings.map(({ accepted, ...finding }, i) =>
      i % 3 === 2 && accepted !== undefined
        ? { ...finding, severity: "error", accepted }
        : { ...finding, severity: i % 3 === 0 ? "error" : "warning" }
    )
  }
}

const benign = () => "word"

/** Reports with one text in all fields, and reports with mixtures. */
const reports = (items: number): ReadonlyArray<readonly [name: string, report: Report]> => [
  ...hostile.map((text) => [JSON.stringify(text.slice(0, 40)), reportOf(items, () => text)] as const),
  ...seeds(20).map((seed) => {
    const { pick } = random(seed)
    return [`seed ${seed}`, reportOf(items, () => pick(hostile) + pick(hostile))] as const
  })
]

describe("a report whose program has hostile names", () => {
  it("is tested here, or in heap.test.ts, in every rendering", async () => {
    const folder = new URL("../../src/report/", import.meta.url)
    const names = await Promise.all(
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map(async (file) => Object.keys(await import(new URL(file, folder).href) as object))
    )
    assert.deepStrictEqual(names.flat().filter((name) => name.startsWith("render")).sort(), [
      "renderGithub",
      "renderHeapGithub",
      "renderHeapMarkdown",
      "renderHeapText",
      "renderJson",
      "renderLive",
      "renderMarkdown",
      "renderText",
      "renderer"
    ])
  })

  it("gives text in lines that fit, without control of a terminal or a log", () => {
    for (const [name, report] of reports(3)) {
      for (const width of [24, 100]) {
        const source = (file: string) => `${file}\n\t\u001b[31m${name}\n`.repeat(9)
        const text = renderText(report, { width, source })
        assertIsText(text, name)
        for (const line of text.split("\n")) assert.isAtMost(columnsOf(line), width, `${name}: ${line}`)
        const coloured = renderText(report, { width, source, style: ansi })
        // oxlint-disable-next-line no-control-regex -- that is what colours are
        assert.strictEqual(coloured.replaceAll(/\u001b\[\d+m/g, ""), text, name)
      }
    }
  })

  it("gives a page with the same structure as any other report", () => {
    for (const items of [1, 3]) {
      const expected = shape(renderMarkdown(reportOf(items, benign)))
      for (const [name, report] of reports(items)) {
        const page = renderMarkdown(report)
        assertIsText(page, name)
        // A summary without text is a heading too.
        assert.deepStrictEqual(shape(page), expected, `${name}\n${page}`)
        const outside = page.replaceAll(/`[^`\n]*`/g, "")
        assert.notMatch(outside, /@\w|(?<!&)#\d|\bGH-\d|https?:\/\/|www\.\w|mailto:\w|(?<!\\)!?\[|<(?!\/?code>)/, name)
        assert.isBelow(page.length, 65_536, name)
      }
    }
  })

  it("gives one workflow command for each annotation, with the intended properties", () => {
    const kinds = (text: string) => text.trimEnd().split("\n").map((line) => /^::(\w+) /.exec(line)?.[1])
    const expected = kinds(renderGithub(reportOf(3, benign)))
    assert.deepStrictEqual(expected, ["error", "error", "warning", "warning", "warning", "notice"])
    for (const [name, report] of reports(3)) {
      const text = renderGithub(report)
      assert.notMatch(text, controls, name)
      assert.deepStrictEqual(kinds(text), expected, name)
      for (const line of text.trimEnd().split("\n")) {
        // The runner reads the properties up to the next two colons, separated by commas.
        const properties = line.slice(2, line.indexOf("::", 2)).replace(/^\w+ /, "").split(",").map((one) =>
          one.split("=")[0]
        )
        assert.includeMembers(["file", "line", "col", "title"], properties as Array<string>, `${name}: ${line}`)
        const data = decodeURIComponent(line.slice(line.indexOf("::", 2) + 2).replaceAll(/%(?!25|0A|0D)/g, "%25"))
        assert.notMatch(data, controls, name)
      }
    }
  })

  it("gives JSON that is read back unchanged and is safe in a terminal", () => {
    for (const [name, report] of reports(2)) {
      const text = renderJson(report)
      assert.notMatch(text, controls, name)
      assert.deepStrictEqual(decode(JSON.parse(text)), report, name)
    }
  })

  it("gives a live view in lines that fit", () => {
    for (const name of hostile) {
      const observation = Observation.make()
      const [hello, copy] = opening()
      observation.take({ ...hello, argv: [name], cwd: name, node: name } as Message)
      observation.take(copy!)
      for (const [id, file] of [undefined, `/app/${name}.ts`].entries()) {
        observation.take({ type: "site", id, fork: { ...place(name), file, line: 3 }, chain: [] })
      }
      for (let t = 1000; t <= 20_000; t += 1000) {
        observation.take(
          tick(t, { flow: [[0, t / 1000 - 1, 20, 0, 0], [1, t / 1000 - 1, 9, 0, 0]], live: [[0, t], [1, t]] })
        )
      }
      const diagnosis = diagnose(observation)
      assert.isAbove(diagnosis.findings.length + diagnosis.suspicions.length, 0)
      assert.notMatch(
        JSON.stringify(diagnosis.findings).replaceAll("\\\\", ""),
        /\\[unrt]/,
        "findings are printable before any rendering"
      )
      for (const columns of [20, 61, 100]) {
        const state = { elapsedMs: 20_000, limitMs: undefined, processes: [{ observation, diagnosis }] }
        for (const line of renderLive(state, { columns, rows: 9 })) {
          assert.notMatch(line, controls)
          assert.notMatch(line, isCommand)
          assert.isAtMost(columnsOf(line), columns)
        }
      }
    }
  })
})

describe("a report with very many items", () => {
  it("shows the worst and counts the rest", () => {
    // No process of these ran tests.
    const all = reportOf(60, benign)
    const report = { ...all, tests: all.tests!.map((file) => ({ ...file, pid: -1 })) }
    const text = renderText(report)
    assert.isBelow(text.split("\n").length, 330)
    assert.include(text, "and 25 more leaks: --json <file> lists all")
    assert.include(text, "and 10 more accepted findings")
    assert.include(text, "and 55 more undecided\n")
    assert.include(text, "and 52 more processes and threads: 52 leak")
    const page = renderMarkdown(report)
    assert.isBelow(page.length, 65_536)
    assert.include(page, "and 25 more leaks")
    const annotations = renderGithub(report)
    for (const kind of ["error", "warning", "notice"]) {
      assert.isBelow(annotations.split("\n").filter((line) => line.startsWith(`::${kind} `)).length, 10)
    }
    assert.include(annotations, "::error title=Fiberscope::and 32 more leaks")
    assert.include(annotations, "::warning title=Fiberscope::and 52 more undecided")
  })

  it("has room in a comment for at least one finding, however long its escapes are", () => {
    const page = renderMarkdown(reportOf(24, () => "@a".repeat(1000)))
    assert.isBelow(page.length, 65_536)
    assert.isAbove(page.split("\n### ").length, 2)
    assert.match(page, /and 1\d more leaks/)
  })
})
