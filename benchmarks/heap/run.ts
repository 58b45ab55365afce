/** One tool that reads one file, or one pause: the processes of the benchmark. It loads nothing else, so that it measures nothing else. */
import process from "node:process"
import type { Pause } from "./pause.ts"
import { tools } from "./tools.ts"

/** Clock and processor time in seconds, and the largest memory of the process in MB. */
export interface Run {
  readonly clock: number
  readonly cpu: number
  readonly memory: number
}

const run = async (name: string, file: string, folder: string): Promise<Run> => {
  const read = await tools[name]!(folder)
  const start = performance.now()
  const before = process.cpuUsage()
  if (!(await read(file) > 0)) throw new Error("no node was read")
  const { system, user } = process.cpuUsage(before)
  return {
    clock: (performance.now() - start) / 1000,
    cpu: (system + user) / 1e6,
    memory: process.resourceUsage().maxRSS / 1024
  }
}

const pause = async (file: string, size: number): Promise<Pause> => (await import("./pause.ts")).pauseOf(file, size)

const [name, file, last] = process.argv.slice(2) as [string, string, string]
process.send!(name === "pause" ? await pause(file, Number(last)) : await run(name, file, last))
process.exit()
