/**
 * `pnpm run truth`: runs the corpus under `fiberscope run` and prints how often it was right.
 *
 * Options: `--for 15,30,120` (seconds), `--half first|second|third`, `--only name`, `--jobs n`, `--keep folder` (reports and recordings).
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Report } from "../src/Report.ts"
import { programs } from "./corpus/manifest.ts"
import type { Program } from "./corpus/manifest.ts"

const { values } = parseArgs({
  options: {
    for: { type: "string", default: "30" },
    half: { type: "string" },
    only: { type: "string" },
    jobs: { type: "string", default: "4" },
    keep: { type: "string" }
  }
})

interface Result {
  readonly program: Program
  readonly seconds: number
  readonly report: Report | undefined
  readonly named: "first" | "in the chain" | "no"
}

const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url))
const corpus = fileURLToPath(new URL("corpus/", import.meta.url))
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "fiberscope-truth-"))
mkdirSync(folder, { recursive: true })

const observe = (program: Program, seconds: number): Promise<Result> =>
  new Promise((resolve) => {
    const base = join(folder, `${program.name.replaceAll("/", "-")}-${seconds}`)
    const child = spawn(
      process.execPath,
      [
        cli,
        "run",
        "--quiet",
        "--for",
        `${seconds}s`,
        "--json",
        `${base}.json`,
        "--record",
        `${base}.ndjson`,
        "--",
        process.execPath,
        join(corpus, program.file)
      ],
      { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, CORPUS_SECONDS: String(seconds) } }
    )
    child.on("exit", () => {
      let report: Report | undefined
      try {
        report = JSON.parse(readFileSync(`${base}.json`, "utf8")) as Report
      } catch {
        report = undefined
      }
      resolve({ program, seconds, report, named: whatWasNamed(program, report) })
    })
  })

/** Whether the first finding names the guilty function: as its site, or at least among the frames and places it lists. */
const whatWasNamed = ({ guilty }: Program, report: Report | undefined): Result["named"] => {
  const finding = report?.findings.find(({ severity }) => severity !== "info")
  if (guilty === undefined || finding === undefined) return "no"
  const is = ({ file, line, name }: Report["findings"][number]["site"]): boolean =>
    guilty.names.includes(name) || guilty.names.some((known) => name.endsWith(`.${known}`))
    || (file !== undefined && file.endsWith(guilty.file) && line !== undefined
      && guilty.lines.some(([first, last]) => line >= first && line <= last))
  if (is(finding.site)) return "first"
  return [...finding.chain, ...finding.waits].some(is) ? "in the chain" : "no"
}

const pool = async <A, B>(
  items: ReadonlyArray<A>,
  jobs: number,
  work: (item: A) => Promise<B>
): Promise<ReadonlyArray<B>> => {
  const out: Array<B> = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      out[index] = await work(items[index]!)
      process.stderr.write(`\r${out.filter((done) => done !== undefined).length} of ${items.length} `)
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  process.stderr.write("\r\u001b[K")
  return out
}

const matrix = (title: string, results: ReadonlyArray<Result>): void => {
  const count = (expected: string, verdict: string) =>
    results.filter(({ program, report }) =>
      program.expected === expected && !program.slow && (report?.verdict ?? "failed") === verdict
    ).length
  const leaks = results.filter(({ program }) => program.expected === "leak" && !program.slow)
  const found = leaks.filter(({ report }) => report?.verdict === "leak")
  const named = (how: Result["named"]) => found.filter((result) => result.named === how).length
  console.log(`\n${title}`)
  console.log("  is \\ said    leak   ok  undecided  failed")
  for (const expected of ["leak", "ok"]) {
    const cells = ["leak", "ok", "undecided", "failed"].map((verdict) => String(count(expected, verdict)).padStart(6))
    console.log(`  ${expected.padEnd(10)} ${cells.join(" ")}`)
  }
  const slow = results.filter(({ program }) => program.slow)
  if (slow.length > 0) {
    console.log(
      `  slow leaks  ${slow.map(({ program, report }) => `${program.name}: ${report?.verdict ?? "failed"}`).join(", ")}`
    )
  }
  console.log(
    `  guilty site named first: ${named("first")} of ${found.length}, in the chain: ${
      named("in the chain")
    }, not at all: ${named("no")}`
  )
}

const chosen = programs.filter(({ half, name }) =>
  (values.half === undefined || half === values.half) && (values.only === undefined || name.includes(values.only))
)
for (const seconds of values.for.split(",").map(Number)) {
  const results = await pool(chosen, Number(values.jobs), (program) => observe(program, seconds))
  for (const half of new Set(chosen.map(({ half }) => half))) {
    matrix(`${half} part, ${seconds} s`, results.filter(({ program }) => program.half === half))
  }
  const wrong = results.filter(({ named, program, report }) =>
    report === undefined || (!program.slow && report.verdict !== program.expected) ||
    (program.slow && report.verdict === "ok")
    || (program.expected === "leak" && report.verdict === "leak" && named === "no")
  )
  if (wrong.length > 0) console.log("\n  to look at")
  for (const { named, program, report } of wrong) {
    const site = report?.findings.find(({ severity }) => severity !== "info")
    console.log(
      `  ${program.name.padEnd(28)} is ${program.expected.padEnd(5)} said ${(report?.verdict ?? "nothing").padEnd(9)} ${
        named === "no" ? "" : named
      } `
        + `${
          site === undefined
            ? report?.because ?? ""
            : `${site.kind} at ${site.site.name} ${site.site.file?.split("/").slice(-2).join("/") ?? ""}:${
              site.site.line ?? ""
            }`
        }`
    )
  }
}
if (values.keep === undefined) rmSync(folder, { recursive: true, force: true })
