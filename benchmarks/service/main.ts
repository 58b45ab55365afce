/**
 * The cost of observing a service: processor time per request, requests per second, latencies and memory of a saturated HTTP server,
 * alone, under `fiberscope run`, and with `LeakDetector.layer`.
 *
 *     npm run bench:service [-- --rounds 2 --seconds 30 --arms plain,run,sampling-0,layer]
 *
 * Each round starts each arm once, in a fresh process, and the plain one twice, as the A/A control. Rounds go forth and back, so that a
 * machine that gets slower affects all arms equally. `--record file` appends the measurements as lines of JSON and also reads the
 * earlier lines of the file, so that the rounds of several calls give one result.
 */
import { execFileSync, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import process from "node:process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { judge, ratiosOf } from "../statistics.ts"
import type { Interval } from "../statistics.ts"
import { machine, renderNumber, renderRatio, table } from "../table.ts"
import type { Measured } from "./load.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "2" },
    seconds: { type: "string", default: "30" },
    arms: { type: "string", default: "plain,run,sampling-0,layer" },
    record: { type: "string" }
  }
})

/** Warm-up before the measurement in seconds: V8 compiles for about this long. */
const warmUp = 5

/** Seconds after which `fiberscope run` ends the service, if it has not been ended before. */
const longest = 600

const rounds = bounded("rounds", values.rounds, 1, 50)
const seconds = bounded("seconds", values.seconds, 1, 300)

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const service = [process.execPath, path("server.ts")]
const fiberscope = (...flags: ReadonlyArray<string>) => [
  process.execPath,
  path("../../packages/detector/src/cli/main.ts"),
  "run",
  "--quiet",
  "--for",
  `${longest}s`,
  ...flags,
  "--"
]

interface Arm {
  readonly label: string
  /** The command before the command of the service. */
  readonly before: ReadonlyArray<string>
  readonly flags: ReadonlyArray<string>
  /** The largest accepted ratio of its processor time per request to that of the plain service. */
  readonly goal: number | undefined
}

const plain: Arm = { label: "plain", before: [], flags: [], goal: undefined }

const arms: Readonly<Record<string, Arm>> = {
  "plain": plain,
  "run": { label: "fiberscope run", before: fiberscope(), flags: [], goal: 1.05 },
  "sampling-0": { label: "run --sampling 0", before: fiberscope("--sampling", "0"), flags: [], goal: 1.02 },
  "layer": { label: "LeakDetector.layer", before: [], flags: ["layer"], goal: 1.02 }
}

const control = "A/A control"

/** The arms by label. The plain service is first and last. */
const chosen: ReadonlyMap<string, Arm> = new Map([
  [plain.label, plain],
  ...values.arms.split(",").filter((name) => name !== "plain").map((name): [string, Arm] => {
    const arm = arms[name]
    if (arm === undefined) throw new Error(`--arms ${name}: there are ${Object.keys(arms).join(", ")}`)
    return [arm.label, arm]
  }),
  [control, plain]
])

function bounded(name: string, value: string, least: number, most: number): number {
  const number = Number(value)
  if (!(number >= least && number <= most)) throw new Error(`--${name} ${value}: from ${least} to ${most}`)
  return number
}

// The cores of the processes

/** The cores that this process may use, if the machine can assign a process to a core. */
const cores = ((): ReadonlyArray<string> => {
  try {
    const list = execFileSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" }).split(":")[1]!.trim()
    return list.split(",").flatMap((part) => {
      const [first, last = first] = part.split("-").map(Number) as [number, number?]
      return Array.from({ length: last - first + 1 }, (_, i) => String(first + i))
    })
  } catch {
    return []
  }
})()

const pinned = cores.length > 1

const onCoreOfItsOwn = (command: ReadonlyArray<string>): ReadonlyArray<string> =>
  pinned ? ["taskset", "-c", cores[0]!, ...command] : command

const onOtherCores = (command: ReadonlyArray<string>): ReadonlyArray<string> =>
  pinned ? ["taskset", "-c", cores.slice(1).join(), ...command] : command

// One process

interface Taken extends Measured {
  readonly label: string
  /** Processor time of `fiberscope run` itself in the same time, in milliseconds; `undefined` if the machine does not show it. */
  readonly toolMs: number | undefined
}

const started = new Set<ChildProcess>()
process.on("exit", () => started.forEach((child) => child.kill("SIGKILL")))
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))

const start = ([program, ...args]: ReadonlyArray<string>): ChildProcess => {
  const child = spawn(program!, args, { stdio: ["ignore", "pipe", "inherit"] })
  started.add(child)
  child.once("exit", () => started.delete(child))
  return child
}

const takeOnce = async (label: string, { before, flags }: Arm): Promise<Taken> => {
  const watched = before.length > 0
  const command = onCoreOfItsOwn([...service, ...flags])
  const child = start(watched ? [...onOtherCores(before), ...command] : command)
  const ended = once(child, "exit")
  try {
    const [port] = await Promise.race([once(child.stdout!, "data"), failed(label, ended)]) as [Buffer]
    const toolBefore = watched ? cpuOf(child.pid!) : undefined
    const load = start(
      onOtherCores([process.execPath, path("load.ts"), String(port).trim(), String(warmUp), String(seconds)])
    )
    const answer = await text(load.stdout!)
    if (answer === "") throw new Error(`${label}: the load ended without an answer`)
    const toolAfter = watched ? cpuOf(child.pid!) : undefined
    const toolMs = toolBefore === undefined || toolAfter === undefined ? undefined : toolAfter - toolBefore
    return { label, ...JSON.parse(answer) as Measured, toolMs }
  } finally {
    child.kill("SIGTERM")
    const patience = setTimeout(() => child.kill("SIGKILL"), 10_000)
    await ended
    clearTimeout(patience)
  }
}

const failed = async (label: string, ended: Promise<ReadonlyArray<unknown>>): Promise<never> => {
  const [code, signal] = await ended
  throw new Error(`${label}: the service ended with ${String(signal ?? code)} before it said its port`)
}

/** Processor time of another process in milliseconds, if the machine shows it. Linux does, in hundredths of a second. */
const cpuOf = (pid: number): number | undefined => {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return undefined
  const fields = readFileSync(file, "utf8").split(") ")[1]!.split(" ")
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

// All processes

const all: Array<Taken> = values.record !== undefined && existsSync(values.record)
  ? readFileSync(values.record, "utf8").split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line) as Taken
  )
  : []

for (let round = 0; round < rounds; round++) {
  const order = round % 2 === 0 ? [...chosen] : [...chosen].toReversed()
  for (const [label, arm] of order) {
    const taken = await takeOnce(label, arm)
    all.push(taken)
    if (values.record !== undefined) appendFileSync(values.record, `${JSON.stringify(taken)}\n`)
    process.stderr.write(
      `round ${round + 1} of ${rounds}: ${label} ${
        renderNumber(1000 * taken.cpuMs / taken.requests)
      } µs of processor time a request\n`
    )
  }
}

// Output

/** The rounds that all arms have, if more were recorded of some. */
const complete = Math.min(...[...chosen.keys()].map((label) => all.filter((one) => one.label === label).length))

const numbersOf = (number: (taken: Taken) => number): Readonly<Record<string, ReadonlyArray<number>>> =>
  Object.fromEntries(
    [...chosen.keys()].map((label) => [label, all.filter((one) => one.label === label).slice(0, complete).map(number)])
  )

const geometricMean = (numbers: ReadonlyArray<number>): number =>
  Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length)

const baselines = [plain.label, control]
const costs = numbersOf(({ cpuMs, requests }) => 1000 * cpuMs / requests)
const ratios = ratiosOf(costs, baselines)
const speeds = numbersOf(({ requests, seconds }) => requests / seconds)
const speedRatios = ratiosOf(speeds, baselines)
const columns = [
  numbersOf(({ p50 }) => p50),
  numbersOf(({ p99 }) => p99),
  numbersOf(({ rss }) => rss / 1e6)
]
const tools = numbersOf(({ seconds, toolMs }) => toolMs === undefined ? NaN : toolMs / 10 / (warmUp + seconds))
const measurable = ratios[control]!.low <= 1 && ratios[control]!.high >= 1

const verdict = (ratio: Interval, goal: number | undefined): string =>
  goal === undefined ? "" : measurable ? judge(ratio, goal) : "unmeasurable"

const rows = [...chosen].map(([label, { goal }]) => [
  label,
  `${renderNumber(geometricMean(costs[label]!))} µs`,
  label === plain.label ? `${complete} rounds` : renderRatio(ratios[label]!),
  goal === undefined ? "" : `≤ ${goal} ×`,
  label === control && !measurable ? "unmeasurable" : verdict(ratios[label]!, goal),
  renderNumber(geometricMean(speeds[label]!)),
  label === plain.label ? "" : renderRatio(speedRatios[label]!),
  ...columns.map((numbers) => renderNumber(geometricMean(numbers[label]!))),
  Number.isNaN(tools[label]![0]) ? "" : `${renderNumber(geometricMean(tools[label]!))} %`
])

const share = (number: (taken: Taken) => number): string =>
  `${Math.round(100 * Math.min(...all.map(number)))} to ${Math.round(100 * Math.max(...all.map(number)))} %`

console.log(machine())
console.log(
  pinned
    ? `the service had core ${cores[0]} to itself; the load and the tool had the others`
    : "taskset or a second core is missing: the service, the load and the tool shared the cores, so times are unreliable"
)
console.log(
  `of a core, the service took ${share((one) => one.cpuMs / one.seconds / 1000)} and the load ${
    share((one) => one.clientShare)
  }`
)
console.log(`${warmUp} s of warm-up and ${seconds} s of measurement in each process\n`)
console.log(table([
  [
    "",
    "CPU a request",
    "ratio [95 %]",
    "goal",
    "verdict",
    "requests/s",
    "ratio [95 %]",
    "p50 ms",
    "p99 ms",
    "RSS MB",
    "CPU of the tool"
  ],
  ...rows
]))

const verdicts = rows.map((row) => row[4]!).filter((one) => one !== "")
process.exitCode = verdicts.includes("missed") ? 1 : verdicts.every((one) => one === "passed") ? 0 : 2
