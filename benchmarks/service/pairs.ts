/**
 * The cost of an observed service compared with a plain one that runs at the same time, on a machine that runs other work too.
 *
 *     pnpm run bench:service:pairs [-- --arm run --rounds 5 --seconds 25]
 *
 * Each round starts the plain service and the arm, each with its load on one of two cores, and swaps the cores every 2.5 s, so that
 * other work on the machine affects both equally. A round gives one ratio of processor time per request. The result is the geometric
 * mean of the rounds with a 95 % interval from their variance. `--arm plain` is the A/A control. Linux only: taskset chooses the cores.
 */
import type { ChildProcess } from "node:child_process"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import process from "node:process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Measured } from "./load.ts"

const { values } = parseArgs({
  options: {
    arm: { type: "string", default: "run" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "25" }
  }
})

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const warmUp = "5"
const swapMs = 2500

/** The longest time that `fiberscope run` lets the service run, if it has not been ended before. */
const cli = [process.execPath, path("../../packages/detector/src/cli/main.ts"), "run", "--quiet", "--for", "600s"]
const service = [process.execPath, path("server.ts")]

const arms: Readonly<Record<string, ReadonlyArray<string>>> = {
  plain: service,
  run: [...cli, "--", ...service],
  "sampling-0": [...cli, "--sampling", "0", "--", ...service],
  layer: [...service, "layer"]
}

const children = new Set<ChildProcess>()
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")))

const onCore = (core: number, command: ReadonlyArray<string>): ChildProcess => {
  const child = spawn("taskset", ["-c", String(core), ...command], { stdio: ["ignore", "pipe", "inherit"] })
  children.add(child)
  return child
}

interface Side {
  readonly service: ChildProcess
  readonly load: ChildProcess
}

const start = async (arm: string, core: number): Promise<Side> => {
  const started = onCore(core, arms[arm]!)
  const [port] = await once(started.stdout!, "data") as [Buffer]
  const load = onCore(core, [process.execPath, path("load.ts"), String(port).trim(), warmUp, values.seconds])
  return { service: started, load }
}

/** A process and its descendants. */
const family = (pid: number): ReadonlyArray<number> => {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
  return [pid, ...listed.split(" ").filter((one) => one !== "").flatMap((one) => family(Number(one)))]
}

const move = ({ load, service }: Side, core: number): void => {
  try {
    for (const pid of [...family(service.pid!), load.pid!]) {
      spawnSync("taskset", ["-apc", String(core), String(pid)], { stdio: "ignore" })
    }
  } catch {
    // A process has just ended.
  }
}

const end = async ({ service }: Side): Promise<void> => {
  service.kill("SIGTERM")
  const last = setTimeout(() => service.kill("SIGKILL"), 8000)
  if (service.exitCode === null && service.signalCode === null) await once(service, "exit")
  clearTimeout(last)
  children.delete(service)
}

const perRequest = ({ cpuMs, requests }: Measured): number => 1000 * cpuMs / requests

if (arms[values.arm] === undefined) throw new Error(`--arm is one of ${Object.keys(arms).join(", ")}`)
const logs: Array<number> = []
for (let round = 0; round < Number(values.rounds); round++) {
  let core = round % 2
  const plain = await start("plain", core)
  const watched = await start(values.arm, 1 - core)
  const swap = setInterval(() => {
    core = 1 - core
    move(plain, core)
    move(watched, 1 - core)
  }, swapMs)
  const [a, b] = (await Promise.all([text(plain.load.stdout!), text(watched.load.stdout!)]))
    .map((said) => perRequest(JSON.parse(said) as Measured)) as [number, number]
  clearInterval(swap)
  await Promise.all([end(plain), end(watched)])
  logs.push(Math.log(b / a))
  console.error(`round ${round + 1}: plain ${a.toFixed(1)} µs, ${values.arm} ${b.toFixed(1)} µs a request`)
}
const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
const scatter = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / Math.max(1, logs.length - 1))
const half = 1.96 * scatter / Math.sqrt(logs.length)
const shown = [mean, mean - half, mean + half].map((log) => Math.exp(log).toFixed(3))
console.log(
  `${values.arm} / plain: ${shown[0]} × [${shown[1]}, ${
    shown[2]
  }] of the processor time a request, ${logs.length} rounds`
)
