/**
 * `pnpm run field`: runs programs that others wrote. It installs each from npm into a temporary folder, runs it plain and under
 * `fiberscope run` with the same bounded traffic on loopback, and prints whether it was hurt, whether it was seen, and whether its verdict
 * is true.
 *
 * Options: `--only name,name`, `--for 60` (seconds of each run), `--into folder` (kept, so the next run installs nothing), `--witness`
 * (a third run, without Fiberscope, that counts what is true), `--markdown file` (the rows of docs/field.md). The exit code is 1 if a
 * program was hurt, unseen, or got an untrue verdict.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import { differences } from "./compare.ts"
import { install } from "./install.ts"
import { judge, seen } from "./judge.ts"
import type { Judgement, Seen } from "./judge.ts"
import { programs } from "./manifest.ts"
import { run } from "./observe.ts"
import type { Run } from "./observe.ts"
import type { Program } from "./Program.ts"
import { endAll } from "./started.ts"
import * as Witness from "./witness.ts"

const { values } = parseArgs({
  options: {
    for: { type: "string", default: "60" },
    only: { type: "string" },
    into: { type: "string" },
    witness: { type: "boolean", default: false },
    markdown: { type: "string" }
  }
})
const seconds = Number(values.for)
const only = values.only?.split(",")
const chosen = programs.filter(({ name }) => only === undefined || only.includes(name))
const unknown = only?.filter((name) => !programs.some((program) => program.name === name)) ?? []
if (!Number.isFinite(seconds) || seconds <= 0 || unknown.length > 0) {
  console.error(
    unknown.length > 0
      ? `there is no program ${unknown.join(", ")}; there are ${programs.map(({ name }) => name).join(", ")}`
      : "--for wants a number of seconds"
  )
  process.exit(64)
}

const into = values.into ?? mkdtempSync(join(tmpdir(), "fiberscope-field-"))
const results = join(into, "results")
mkdirSync(results, { recursive: true })

const clean = (): void => {
  endAll()
  if (values.into === undefined) rmSync(into, { recursive: true, force: true })
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    clean()
    process.exit(130)
  })
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

interface Result {
  readonly program: Program
  readonly hurt: ReadonlyArray<string>
  readonly seen: Seen
  readonly verdict: string
  readonly is: Judgement
  readonly why: string
  readonly witness: Witness.Account | undefined
}

/** Why a plain run proves nothing, if it does not. */
const brokenWithout = (program: Program, { answers, ending, errors, ready }: Run): string | undefined => {
  const expected = program.code ?? (program.end === "itself" ? 0 : undefined)
  if (!ready) return `it did not start without the tool: ${errors.slice(-400)}`
  const unanswered = answers.filter(({ answer }) => answer.includes("0 no answer: ")).length
  if (unanswered > 0) return `${unanswered} requests had no answer without the tool: this machine has no time for them`
  return expected === undefined || ending.code === expected
    ? undefined
    : `it ended with ${ending.code ?? ending.signal} without the tool, and ${expected} was expected: ${
      errors.slice(-400)
    }`
}

const failedToRun = (program: Program, error: unknown): Result => ({
  program,
  hurt: [`it could not be run: ${error instanceof Error ? error.message : String(error)}`],
  seen: { fibers: 0, effect: [] },
  verdict: "none",
  is: "unsure",
  why: "it was not run",
  witness: undefined
})

const judged = async (program: Program): Promise<Result> => {
  const base = (mode: string) => join(results, `${program.name}.${mode}`)
  const once = async (mode: "plain" | "observed" | "witness"): Promise<Run> => {
    for (const end of [".json", ".ndjson", ".witness"]) rmSync(`${base(mode)}${end}`, { force: true })
    const folder = await install(program, into)
    say(`${program.name}: ${mode}, ${seconds} s`)
    const result = await run({ program, mode, folder, base: base(mode), seconds })
    writeFileSync(`${base(mode)}.stdout`, result.output)
    writeFileSync(`${base(mode)}.stderr`, result.errors)
    return result
  }
  const plain = await once("plain")
  const observed = await once("observed")
  if (values.witness) await once("witness")
  const broken = brokenWithout(program, plain)
  const { ignored, timed } = program
  return {
    program,
    hurt: broken === undefined
      ? differences(plain, observed, { folder: join(into, program.name), ignored, timed })
      : [broken],
    seen: seen(program, observed.report),
    verdict: observed.report?.verdict ?? "none",
    ...judge(program, observed.report),
    witness: values.witness ? Witness.read(`${base("witness")}.witness`) : undefined
  }
}

const few = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= 6 ? lines : [...lines.slice(0, 5), `and ${lines.length - 5} more`]

const account = (result: Result): ReadonlyArray<string> => [
  ...few(result.hurt).map((line) => `hurt    ${line}`),
  ...result.seen.problem === undefined ? [] : [`unseen  ${result.seen.problem}`],
  `${result.is.padEnd(7)} ${result.verdict}: ${result.why}`,
  ...result.witness === undefined
    ? []
    : Witness.tell(result.witness, result.program.truth).map((line) => `witness ${line}`)
]

const failed = ({ hurt, is, seen, witness, program }: Result): boolean =>
  hurt.length > 0 || seen.problem !== undefined || is === "untrue"
  || (witness !== undefined && Witness.contradicts(witness, program.truth) !== undefined)

/** A row of the table in docs/field.md. */
const markdown = (result: Result): string =>
  `| ${
    [
      `${result.program.name}, ${result.program.style}`,
      result.program.effect,
      result.program.driven,
      result.hurt.length === 0 ? "as without" : result.hurt[0]!,
      result.seen.problem ?? `${result.seen.fibers} fibers`,
      `${result.verdict}, ${result.is}`,
      result.program.truth.why,
      result.witness === undefined ? "" : Witness.brief(result.witness, result.program.truth)
    ].map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")
  } |\n`

const all: Array<Result> = []
try {
  for (const program of chosen) {
    const result = await judged(program).catch((error: unknown) => failedToRun(program, error))
    all.push(result)
    for (const line of account(result)) say(`  ${line}`)
    if (values.markdown !== undefined) appendFileSync(values.markdown, markdown(result))
  }
} finally {
  clean()
}

const rows = all.map((result) => [
  result.program.name,
  result.program.effect,
  result.hurt.length === 0 ? "as without" : "hurt",
  result.seen.problem === undefined ? `${result.seen.fibers} fibers` : "unseen",
  result.verdict,
  result.is,
  failed(result) ? "✗" : "✓"
])
const table = [["program", "effect", "behaviour", "seen", "verdict", "which is", ""], ...rows]
const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
for (const row of table) console.log(row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd())
const bad = all.filter(failed)
console.log(`\n${all.length - bad.length} of ${all.length} programs: not hurt, seen, and no untrue verdict`)
if (bad.length > 0) process.exitCode = 1
