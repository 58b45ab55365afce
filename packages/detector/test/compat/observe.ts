/** Whether one version of effect can be observed, and whether a program with it is left as it is. */
import { Schema } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Report from "../../src/report/Report.ts"

const program = fileURLToPath(new URL("program.mjs", import.meta.url))
const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export interface Compatibility {
  readonly version: string
  /** `harmed` when the program did not do what it does alone; `unseen` when it was not observed and no reason was given. */
  readonly result: "supported" | "refused" | "unseen" | "harmed"
  /** What is missing, or why. */
  readonly detail: string
}

interface Ended {
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

const run = (args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((done) => {
    const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : error.code ?? null, stdout, stderr })
    })
  })

/** Runs the program alone and under `fiberscope run`, with the effect whose main module is `entry`. */
export const observe = async (entry: string, turns = 20): Promise<Compatibility> => {
  const { version } = JSON.parse(readFileSync(join(dirname(entry), "../package.json"), "utf8")) as { version: string }
  const command = [program, entry, String(turns)]
  const untracked = await run(command)
  if (untracked.code !== 3) return { version, result: "harmed", detail: `it fails alone: ${untracked.stderr}` }
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-compat-run-"))
  try {
    const json = join(folder, "report.json")
    const record = join(folder, "recording.ndjson")
    const tracked = await run([cli, "run", "--json", json, "--record", record, "--", process.execPath, ...command])
    if (tracked.code !== 3 || tracked.stdout !== untracked.stdout) {
      const detail =
        `exit code ${tracked.code}, and ${tracked.stdout} instead of ${untracked.stdout}: ${tracked.stderr}`
      return { version, result: "harmed", detail }
    }
    const report = Schema.decodeUnknownSync(Report.Report)(JSON.parse(readFileSync(json, "utf8")))
    return { version, ...judge(report, readFileSync(record, "utf8"), Number(untracked.stdout), version) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const judge = (
  { because, processes: [observed] }: Report.Report,
  recording: string,
  ran: number,
  version: string
): Pick<Compatibility, "result" | "detail"> => {
  const refused = observed?.problems.find((problem) => problem.includes("cannot be observed"))
  if (refused !== undefined) return { result: "refused", detail: refused }
  if (observed === undefined) return { result: "unseen", detail: because }
  const problems = [
    ...observed.problems,
    ...(observed.fibers.started === ran ? [] : [`${observed.fibers.started} fibers were counted, and ${ran} ran`]),
    ...(observed.effect.includes(version) ? [] : [`the version was taken for ${observed.effect.join()}`]),
    ...(recording.includes("\"fork\":{\"name\":\"forget\"") ? [] : ["the site of the leak has no name"])
  ]
  if (problems.length > 0) return { result: "unseen", detail: problems.join("; ") }
  const missing = /"type":"lacking".*?"missing":\[(.*?)\]/.exec(recording)?.[1]
  return { result: "supported", detail: missing === undefined ? "" : `without ${missing.replaceAll("\"", "")}` }
}
