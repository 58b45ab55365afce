/**
 * `pnpm run truth`: runs the corpus under `fiberscope run` and prints how often it was right, whether it named the guilty function, and
 * when it knew.
 *
 * Options: `--for 15,30,120` (seconds), `--part first|second|…`, `--only name`, `--jobs n`, `--keep folder` (reports and recordings),
 * `--again` (nothing is run: what was recorded in that folder is judged once more, by the rules of today), and with it `--readings n`
 * (as if there were only n readings). `--pack` writes what was recorded in the folder, for 30 seconds, into `snapshots.ndjson.zst`, which
 * `replay.test.ts` judges; `--root` is the workspace in which it was recorded.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import type { Verdict } from "../../src/diagnosis/Diagnosis.ts"
import { isLeak } from "../../src/Finding.ts"
import type { Finding, Site } from "../../src/Finding.ts"
import type { Observation } from "../../src/observation/Observation.ts"
import * as Recording from "../../src/observation/Recording.ts"
import { describeSite } from "../../src/places/Site.ts"
import * as Sources from "../../src/places/Sources.ts"
import * as Report from "../../src/report/Report.ts"
import { limits } from "../../src/statistics/limits.ts"
import { keepers } from "../corpus/keepers.ts"
import { programs } from "../corpus/manifest.ts"
import type { Program } from "../corpus/manifest.ts"
import { pack } from "./recordings.ts"
import { thinned } from "./thinned.ts"

const { values } = parseArgs({
  options: {
    for: { type: "string", default: "30" },
    part: { type: "string" },
    only: { type: "string" },
    jobs: { type: "string", default: "4" },
    keep: { type: "string" },
    again: { type: "boolean", default: false },
    readings: { type: "string" },
    pack: { type: "boolean", default: false },
    root: { type: "string", default: fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "") }
  }
})

interface Result {
  readonly program: Program
  readonly verdict: Verdict | "failed"
  readonly because: string
  /** The first that makes a leak of it. */
  readonly finding: Finding | undefined
  readonly named: "first" | "in the chain" | "no"
  /** Whether the right keeper was named, where something on the heap keeps what leaks. */
  readonly keeper: "right" | "wrong" | "none" | undefined
  /** Seconds after which the verdict was the one it had at the end. */
  readonly knownAfter: number
}

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const corpus = fileURLToPath(new URL("../corpus/", import.meta.url))
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "fiberscope-truth-"))
mkdirSync(folder, { recursive: true })

/** Where the report and the recording of a run lie, without what their names end with. */
const baseOf = ({ name }: Program, seconds: number): string => join(folder, `${name.replaceAll("/", "-")}-${seconds}`)

const observe = async (program: Program, seconds: number): Promise<void> => {
  const base = baseOf(program, seconds)
  const flags = ["--quiet", "--for", `${seconds}s`, "--json", `${base}.json`, "--record", `${base}.ndjson`]
  const child = spawn(
    process.execPath,
    [cli, "run", ...flags, "--", process.execPath, join(corpus, program.file)],
    { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, CORPUS_SECONDS: String(seconds) } }
  )
  await once(child, "exit")
}

/** What was said at the end of a run: in its report, or again by the rules of today. */
const judge = (program: Program, seconds: number): Result => {
  const base = baseOf(program, seconds)
  if (!existsSync(`${base}.json`) || !existsSync(`${base}.ndjson`)) {
    const because = "it left no report"
    return {
      program,
      verdict: "failed",
      because,
      finding: undefined,
      named: "no",
      keeper: undefined,
      knownAfter: Infinity
    }
  }
  const said = new Map<Observation, Array<readonly [second: number, verdict: Verdict]>>()
  const recorded = readFileSync(`${base}.ndjson`, "utf8")
  const text = values.readings === undefined ? recorded : thinned(recorded, Number(values.readings))
  const replay = Effect.runSync(Recording.replay(text, base, {
    ...Sources.make("recorded"),
    onTick: (observation) => {
      const verdicts = said.get(observation) ?? []
      said.set(observation, verdicts)
      verdicts.push([observation.durationMs / 1000, diagnose(observation).verdict])
    }
  }))
  const processes = replay.observations.map((observation) => ({ observation, diagnosis: diagnose(observation) }))
  const { because, findings, verdict } = values.again
    ? Report.make({ ...replay, processes, version: "" })
    : JSON.parse(readFileSync(`${base}.json`, "utf8")) as Report.Report
  const finding = findings.find(isLeak)
  // Of several processes, it is the one with the verdict that counts.
  const verdicts = processes.find(({ diagnosis }) => diagnosis.verdict === verdict)
  const times = said.get(verdicts?.observation as Observation) ?? []
  const since = times.findLastIndex(([, then]) => then !== verdict) + 1
  return {
    program,
    verdict,
    because,
    finding,
    named: whatWasNamed(program, finding),
    keeper: whatKeeps(program, finding, replay.observations),
    knownAfter: times[since]?.[0] ?? seconds
  }
}

/** Whether a finding names the guilty function: as its site, or at least among the frames and places it lists. */
const whatWasNamed = ({ guilty }: Program, finding: Finding | undefined): Result["named"] => {
  if (guilty === undefined || finding === undefined) return "no"
  const is = ({ file, line, name }: Site): boolean =>
    guilty.names.includes(name) || guilty.names.some((known) => name.endsWith(`.${known}`))
    || (file !== undefined && file.endsWith(guilty.file) && line !== undefined
      && guilty.lines.some(([first, last]) => line >= first && line <= last))
  if (is(finding.site)) return "first"
  return [...finding.chain, ...finding.waits].some(is) ? "in the chain" : "no"
}

/** Whether the path of a finding leads through a keeper, also where a person is not shown all of its names. */
const whatKeeps = (
  { name }: Program,
  finding: Finding | undefined,
  observations: ReadonlyArray<Observation>
): Result["keeper"] => {
  const names = keepers[name] ?? []
  const kept = finding?.kept
  if (names.length === 0 || finding === undefined) return undefined
  if (kept === undefined) return "none"
  const whole = observations.flatMap(({ growth }) => growth?.paths ?? []).find(({ bytes, counts }) =>
    String(counts) === String(kept.counts) && bytes.at(-1)! - bytes[0]! === kept.bytes
  )
  const path = [...kept.path, ...whole?.steps.flatMap(({ edge, node }) => [edge, node]) ?? []]
  return path.some((one) => names.includes(one)) ? "right" : "wrong"
}

/** Works on all items, so many at a time. */
const pool = async <A>(items: ReadonlyArray<A>, jobs: number, work: (item: A) => Promise<void>): Promise<void> => {
  let next = 0
  let done = 0
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      await work(item)
      process.stderr.write(`\r${++done} of ${items.length} `)
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  process.stderr.write("\r\u001b[K")
}

const matrix = (title: string, results: ReadonlyArray<Result>): void => {
  const judged = results.filter(({ program }) => !program.slow)
  console.log(`\n${title}`)
  console.log("  is \\ said    leak   ok  undecided  failed")
  for (const expected of ["leak", "ok"]) {
    const cells = ["leak", "ok", "undecided", "failed"].map((said) =>
      String(judged.filter(({ program, verdict }) => program.expected === expected && verdict === said).length)
    )
    console.log(`  ${expected.padEnd(10)} ${cells.map((cell) => cell.padStart(6)).join(" ")}`)
  }
  const slow = results.filter(({ program }) => program.slow).map(({ program, verdict }) =>
    `${program.name}: ${verdict}`
  )
  if (slow.length > 0) console.log(`  slow leaks  ${slow.join(", ")}`)
  const found = judged.filter(({ program, verdict }) => program.expected === "leak" && verdict === "leak")
  const how = (named: Result["named"]) => found.filter((result) => result.named === named).length
  console.log(
    `  guilty site named first: ${how("first")} of ${found.length}, in the chain: ${how("in the chain")}, not at all: ${
      how("no")
    }`
  )
  const kept = (keeper: Result["keeper"]) => found.filter((result) => result.keeper === keeper).length
  console.log(`  keeper named: right ${kept("right")}, wrong ${kept("wrong")}, none ${kept("none")}`)
  const healthy = judged.filter(({ program, verdict }) => program.expected === "ok" && verdict === "ok")
  console.log(`  known after: leak ${times(found)}, ok ${times(healthy)}`)
}

/** The median of the seconds after which the verdict was known, and the longest. */
const times = (results: ReadonlyArray<Result>): string => {
  const seconds = results.map(({ knownAfter }) => knownAfter).sort((a, b) => a - b)
  const at = (share: number) => seconds[Math.floor(share * (seconds.length - 1))]?.toFixed(0) ?? "-"
  return `${at(0.5)} s (${at(0)} to ${at(1)} s)`
}

/** In a run that is too short to call anything ok, a healthy program is undecided. */
const isWrong = ({ keeper, named, program, verdict }: Result, seconds: number): boolean =>
  program.expected === "ok" && seconds * 1000 < limits.okAfter ?
    verdict !== "undecided" :
    program.slow ?
    verdict === "ok" || verdict === "failed" :
    verdict !== program.expected
    || (program.expected === "leak" && (named !== "first" || keeper === "wrong" || keeper === "none"))

const chosen = programs.filter(({ half, name }) =>
  (values.part === undefined || half === values.part) && (values.only === undefined || name.includes(values.only))
)
for (const seconds of values.for.split(",").map(Number)) {
  if (!values.again) await pool(chosen, Number(values.jobs), (program) => observe(program, seconds))
  const results = chosen.map((program) => judge(program, seconds))
  for (const half of new Set(chosen.map(({ half }) => half))) {
    matrix(`${half} part, ${seconds} s`, results.filter(({ program }) => program.half === half))
  }
  const wrong = results.filter((result) => isWrong(result, seconds))
  if (wrong.length > 0) console.log("\n  to look at")
  for (const { because, finding, keeper, named, program, verdict } of wrong) {
    const site = finding === undefined ? because : `${finding.kind} at ${describeSite(finding.site)}`
    const where = program.expected === "leak" && verdict === "leak"
      ? ` (guilty: ${named}, keeper: ${keeper ?? "-"})`
      : ""
    console.log(
      `  ${program.name.padEnd(28)} is ${program.expected.padEnd(5)} said ${verdict.padEnd(9)} ${site}${where}`
    )
  }
}
if (values.pack) {
  const recordings = chosen.map((program) => ({
    name: program.name,
    text: readFileSync(`${baseOf(program, 30)}.ndjson`, "utf8")
  }))
  pack(recordings, values.root)
}
if (values.keep === undefined) rmSync(folder, { recursive: true, force: true })
