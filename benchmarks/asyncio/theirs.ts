/** The tutorial's programs, as Python processes that run `programs.py`. */
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { whyNoPython } from "../core/python.ts"
import type { Prepare } from "../harness.ts"
import type { Numbers, Program } from "./ours.ts"

const programs = fileURLToPath(new URL("programs.py", import.meta.url))

/** The reason why there is no comparison, if there is one. */
export const whyNot = (): string | undefined =>
  whyNoPython() ?? (existsSync("/proc/self/statm") ? undefined : "there is no /proc to read the size of a process from")

/** Spawns tasks that are suspended once, and waits for them. Answers nanoseconds of processor time per task. */
export const spawning = (count: number, way: string): Prepare => () => {
  const child = spawn("python3", [programs, "spawn", way], { stdio: ["pipe", "pipe", "inherit"] })
  const lines = createInterface(child.stdout)
  // The process ends with its standard input.
  return async () => {
    const answer = once(lines, "line")
    child.stdin.write(`${count}\n`)
    return Number((await answer)[0])
  }
}

/** Runs one program in its own process. */
export const run = async (program: Program, count: number): Promise<Numbers> => {
  const { stdout } = await promisify(execFile)("python3", [programs, program, String(count)])
  return JSON.parse(stdout) as Numbers
}
