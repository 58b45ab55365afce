/** Runs examples as processes, as their readers run them. */
import { Report } from "@fiberscope/detector/Report"
import { Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

export interface Run {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Halves the time in which a program starts. */
const compileCache = fileURLToPath(new URL("../../../.tmp/compile-cache", import.meta.url))

/** The path of a program of this package. */
const programOf = (name: string): string => fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url))

/** Runs a program of this package to its end. It can send a signal, or close the output, after a number of printed lines. */
export const run = async (
  name: string,
  args: ReadonlyArray<string>,
  options: {
    readonly signal?: NodeJS.Signals
    readonly afterLines?: number
    readonly closeAfterLines?: number
    readonly env?: NodeJS.ProcessEnv
  } = {}
): Promise<Run> => {
  const { FORCE_COLOR: _, ...env } = process.env
  const child = spawn(process.execPath, [programOf(name), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, NODE_COMPILE_CACHE: compileCache, ...options.env },
    // A fixed example that leaks would never end and would outlive this test.
    timeout: 120_000,
    killSignal: "SIGKILL"
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
    const { afterLines, closeAfterLines, signal } = options
    if (stdout.split("\n").length > (closeAfterLines ?? Infinity)) child.stdout.destroy()
    if (signal !== undefined && !child.killed && stdout.split("\n").length > (afterLines ?? 0)) child.kill(signal)
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
  const [code, signal] = await once(child, "close")
  return { code, signal, stdout, stderr }
}

const main = fileURLToPath(import.meta.resolve("@fiberscope/detector/cli"))
const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Report))

/** Runs a program of this package under `fiberscope run` for some seconds. */
export const observe = async (name: string, seconds: number): Promise<Report> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-examples-"))
  try {
    const json = join(folder, "report.json")
    const args = [main, "run", "--quiet", "--for", `${seconds}s`, "--json", json, "--"]
    const child = spawn(process.execPath, [...args, process.execPath, programOf(name), "--for", "5m"], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache }
    })
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
    const [code] = await once(child, "close")
    if (code !== 0 && code !== 23) throw new Error(`fiberscope ended with ${code}: ${stderr}`)
    return decode(readFileSync(json, "utf8"))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
