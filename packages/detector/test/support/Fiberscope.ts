/** The real command line as a child process, with everything that a test may need about a run. */
import { afterAll } from "@effect/vitest"
import { Schema } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import process from "node:process"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Message } from "../../src/agent/Protocol.ts"
import * as Report from "../../src/report/Report.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

/** The path of a program in `test/fixtures`. */
export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** The command that runs a program in `test/fixtures` with the Node of these tests. */
export const node = (name: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  process.execPath,
  fixture(name),
  ...args
]

export interface Options {
  readonly flags?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  /** Whether to pass `--json` and `--record`. Default: both. */
  readonly report?: boolean
}

/** A process that has ended: by itself with a code, or by a signal. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface Run extends Ended {
  /** The report of `--json`, if one was written. */
  readonly report: Report.Report | undefined
  /** The lines of `--record`. */
  readonly recording: ReadonlyArray<Message>
  /** Temporary files and processes that still exist after the run: there should be none. */
  readonly left: { readonly files: ReadonlyArray<string>; readonly processes: ReadonlyArray<number> }
}

export interface Running<A> {
  readonly child: ChildProcess
  /** Waits until stdout contains a text. */
  readonly printed: (text: string) => Promise<void>
  readonly done: Promise<A>
}

/** Halves the time in which the tool starts. */
const compileCache = fileURLToPath(new URL("../../../../.tmp/compile-cache", import.meta.url))

/** An environment with Node 24 for every `#!/usr/bin/env node`, and without the variables of the test runner. */
const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const { NODE_OPTIONS: _, ...env } = process.env
  const path = `${dirname(process.execPath)}${delimiter}${env["PATH"]}`
  for (const name of Object.keys(env)) if (/^(VITEST|FIBERSCOPE_|FORCE_COLOR)/.test(name)) delete env[name]
  return { ...env, PATH: path, NO_COLOR: "1", NODE_COMPILE_CACHE: compileCache, ...more }
}

// Processes of a test that exceeded its timeout are ended as well.
const groups = new Set<number>()
const folders = new Set<string>()
afterAll(() => {
  for (const group of groups) {
    try {
      process.kill(-group, "SIGKILL")
    } catch {
      // It has just ended.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Starts a program in its own process group. */
export const start = (command: ReadonlyArray<string>, options: Options = {}): Running<Ended> => {
  const [file, ...args] = command
  const child = spawn(file!, args, {
    cwd: options.cwd,
    env: environment(options.env),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"]
  })
  if (child.pid !== undefined) groups.add(child.pid)
  const out: Array<Buffer> = []
  let stderr = ""
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
  child.stdin.on("error", () => {}) // the program may not read it
  if (options.stdin !== undefined) child.stdin.end(options.stdin)
  const done = once(child, "close").then(([code, signal]: Array<unknown>) => {
    groups.delete(child.pid!)
    return {
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: Buffer.concat(out),
      stderr
    }
  })
  return {
    child,
    done,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => Buffer.concat(out).includes(text) && resolve()
        child.stdout.on("data", look)
        done.then(
          (ended) => reject(new Error(`ended without printing ${text}: ${ended.stdout} ${ended.stderr}`)),
          reject
        )
        look()
      })
  }
}

/** Runs a program without the tool to its end. */
export const alone = (command: ReadonlyArray<string>, options?: Options): Promise<Ended> => start(command, options).done

/** Starts `fiberscope run` with a program. */
export const observe = (command: ReadonlyArray<string>, options: Options = {}): Running<Run> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-test-"))
  folders.add(folder)
  const temporary = mkdtempSync(join(folder, "tmp-"))
  const json = join(folder, "report.json")
  const record = join(folder, "recording.ndjson")
  const outputs = options.report === false ? [] : ["--json", json, "--record", record]
  const running = start([process.execPath, main, "run", ...outputs, ...options.flags ?? [], "--", ...command], {
    ...options,
    env: { TMPDIR: temporary, ...options.env }
  })
  const done = running.done.then(async (ended) => {
    const run: Run = {
      ...ended,
      report: existsSync(json) && readFileSync(json).length > 0 ? readReport(json) : undefined,
      recording: existsSync(record) ? readRecording(record) : [],
      left: { files: readdirSync(temporary), processes: await survivors(running.child.pid!) }
    }
    rmSync(folder, { recursive: true, force: true })
    folders.delete(folder)
    return run
  })
  return { ...running, done }
}

/** Runs `fiberscope run` with a program to its end. */
export const fiberscope = (command: ReadonlyArray<string>, options?: Options): Promise<Run> =>
  observe(command, options).done

/** Runs `fiberscope` with any arguments to its end. */
export const cli = (...args: ReadonlyArray<string>): Promise<Ended> => alone([process.execPath, main, ...args])

/** The number of fibers that the tool saw, in all processes and threads of a run. */
export const startedIn = (run: Run): number | undefined =>
  run.report?.processes.reduce((sum, { fibers }) => sum + fibers.started, 0)

const readReport = (file: string): Report.Report =>
  Schema.decodeUnknownSync(Report.Report)(JSON.parse(readFileSync(file, "utf8")), { onExcessProperty: "error" })

const readRecording = (file: string): ReadonlyArray<Message> =>
  readFileSync(file, "utf8").split("\n").filter((line) => line.includes("\"says\"")).map((line) =>
    (JSON.parse(line) as { readonly says: Message }).says
  )

/** Processes of a group that still exist after some time. A process that has closed its pipes may not have ended yet. */
const survivors = async (group: number): Promise<ReadonlyArray<number>> => {
  for (let i = 0; i < 100 && livingIn(group).length > 0; i++) await wait(20)
  return livingIn(group)
}

/** Processes of a group that have not ended. Zombies count as ended. */
const livingIn = (group: number): ReadonlyArray<number> => {
  if (!existsSync("/proc/self/stat")) return isGroup(group) ? [group] : []
  return readdirSync("/proc").map(Number).filter((pid) => {
    if (!Number.isInteger(pid)) return false
    try {
      // pid (name) state ppid pgrp …, and the name may contain anything
      const [state, , pgrp] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")
      return Number(pgrp) === group && state !== "Z" && state !== "X"
    } catch {
      return false
    }
  })
}

const isGroup = (group: number): boolean => {
  try {
    return process.kill(-group, 0)
  } catch {
    return false
  }
}
