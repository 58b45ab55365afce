/**
 * Reading heap snapshots: time and memory, beside memlab and Chrome's DevTools. And the pause in which V8 writes one.
 *
 *     pnpm run bench:heap [-- --sizes 50,100,200 --links 1000000 --tools memlab,toolkit --rounds 2 --minutes 5 --pauses 10,50,200]
 *
 * Sizes are MB of text, of a heap that is made up. Each tool reads each file in a process of its own, forth and back in each round.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Interval } from "../statistics.ts"
import { bootstrap, judge, median } from "../statistics.ts"
import { machine, renderNumber, renderRatio, table } from "../table.ts"
import type { Pause } from "./pause.ts"
import type { Run } from "./run.ts"
import { service, words } from "./service.ts"
import type { Size } from "./service.ts"
import { memlabPackage } from "./tools.ts"
import { writeSnapshot } from "./writer.ts"

/** Of ours and another tool: the most that is accepted. */
const goals: Readonly<Record<string, { readonly time: number; readonly memory: number }>> = {
  memlab: { time: 1 / 5, memory: 1 / 3 },
  toolkit: { time: 1, memory: 1 }
}
/** Of the time for each MB: the largest text beside the smallest. */
const linear = 1.5

const megabyte = 1_000_000

/** A run, or why there is none. */
type Outcome = Run | string

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    // pnpm passes the two dashes on.
    args: process.argv.slice(2).filter((one) => one !== "--"),
    options: {
      sizes: { type: "string", default: "50,100,200" },
      links: { type: "string", default: "1000000" },
      tools: { type: "string", default: "toolkit,memlab" },
      rounds: { type: "string", default: "2" },
      minutes: { type: "string", default: "5" },
      pauses: { type: "string", default: "10,50,200" }
    }
  })
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-bench-"))
  try {
    const names = ["ours", ...listOf(values.tools)]
    if (names.includes("memlab")) install(folder)
    const limits = { rounds: Number(values.rounds), minutes: Number(values.minutes) }
    const links = Number(values.links)
    const perSession = textOf(folder, { sessions: 20_000, links: 0 }) / 20_000
    const heaps = [
      ...listOf(values.sizes).map((size): Size => ({
        sessions: Math.round(Number(size) * megabyte / perSession),
        links: 0
      })),
      ...(links > 0 ? [{ sessions: 1000, links }] : [])
    ]
    const results: Array<Result> = []
    for (const heap of heaps) results.push(await compare(folder, heap, names, limits))
    console.log(`${machine()}\n`)
    if (results.length > 0) console.log(`${table([header, ...results.flatMap(rowsOf)])}\n`)
    console.log(linearity(results.filter(({ heap }) => heap.links === 0)))
    const pauses: Array<ReadonlyArray<string>> = []
    for (const size of listOf(values.pauses)) pauses.push(await pauseRow(folder, Number(size)))
    if (pauses.length > 0) {
      console.log(table([["Heap", "Text", "Pause", "Processor", "Processor for each MB", "Memory"], ...pauses]))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const listOf = (text: string): ReadonlyArray<string> => text.split(",").filter((one) => one !== "")

const install = (folder: string): void => {
  progress(`installing ${memlabPackage}`)
  writeFileSync(join(folder, "package.json"), "{\"private\":true}")
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
  execFileSync("npm", ["install", ...flags, memlabPackage], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
}

const fileIn = (folder: string): string => join(folder, "1.heapsnapshot")

/** Writes the snapshot of a heap. Answers the bytes of its text. */
const textOf = (folder: string, heap: Size): number => {
  writeSnapshot(fileIn(folder), words, service(heap))
  return statSync(fileIn(folder)).size
}

interface Result {
  readonly heap: Size
  /** MB of text. */
  readonly text: number
  /** For each tool its runs, in order: those of one turn have the same place. */
  readonly runs: ReadonlyMap<string, ReadonlyArray<Outcome>>
}

const compare = async (
  folder: string,
  heap: Size,
  names: ReadonlyArray<string>,
  { minutes, rounds }: { readonly minutes: number; readonly rounds: number }
): Promise<Result> => {
  const text = textOf(folder, heap) / megabyte
  const runs = new Map<string, Array<Outcome>>(names.map((name) => [name, []]))
  for (let turn = 0; turn < 2 * rounds; turn++) {
    for (const name of turn % 2 === 0 ? names : names.toReversed()) {
      const before = runs.get(name)!
      // A tool that has failed would fail again, after minutes.
      const failed = before.find((one) => typeof one === "string")
      const outcome = failed ?? await inProcess<Run>([name, fileIn(folder), folder], minutes)
      before.push(outcome)
      progress(
        `${renderNumber(text)} MB, turn ${turn + 1}: ${name} `
          + (typeof outcome === "string"
            ? outcome
            : `${renderNumber(outcome.clock)} s, ${renderNumber(outcome.memory)} MB`)
      )
    }
  }
  return { heap, text, runs }
}

const header = ["Text", "Tool", "Clock", "Processor", "Memory"].concat(
  ["Our processor time", "Goal", "Verdict"],
  ["Our memory", "Goal", "Verdict"]
)

const rowsOf = ({ heap, runs, text }: Result): ReadonlyArray<ReadonlyArray<string>> => {
  const own = runs.get("ours")!
  const title = `${text.toFixed(0)} MB${heap.links > 0 ? `, a list of ${heap.links} links` : ""}`
  return Array.from(runs, ([name, outcomes]) => {
    const failed = outcomes.find((one) => typeof one === "string")
    if (failed !== undefined) return [title, name, failed, ...header.slice(3).map(() => "")]
    const valuesOf = (of: (run: Run) => number) => outcomes.flatMap((one) => typeof one === "string" ? [] : [of(one)])
    const middle = (of: (run: Run) => number) => renderNumber(median(valuesOf(of)))
    const cells = [title, name, `${middle((run) => run.clock)} s`, `${middle((run) => run.cpu)} s`]
    cells.push(`${middle((run) => run.memory)} MB`)
    const goal = goals[name]
    if (goal === undefined) return [...cells, ...header.slice(cells.length).map(() => "")]
    const time = ratio(own, outcomes, (run) => run.cpu)
    const memory = ratio(own, outcomes, (run) => run.memory)
    return [...cells, ...judged(time, goal.time), ...judged(memory, goal.memory)]
  })
}

/** Ours for each of another tool's, of runs in one turn. */
const ratio = (ours: ReadonlyArray<Outcome>, others: ReadonlyArray<Outcome>, of: (run: Run) => number): Interval =>
  bootstrap(ours.flatMap((one, i) => {
    const other = others[i]!
    return typeof one === "string" || typeof other === "string" ? [] : [of(one) / of(other)]
  }))

const judged = (interval: Interval, goal: number): ReadonlyArray<string> => {
  const verdict = judge(interval, goal)
  if (verdict === "missed") process.exitCode = 1
  if (verdict === "undecided") process.exitCode ??= 2
  return [renderRatio(interval), `≤ ${goal.toFixed(2)} ×`, verdict]
}

/** The time for each MB of the largest text beside that of the smallest one. */
const linearity = (results: ReadonlyArray<Result>): string => {
  if (results.length < 2) return ""
  const perMegabyte = results.map(({ runs, text }) =>
    runs.get("ours")!.flatMap((one) => typeof one === "string" ? [] : [one.cpu / text])
  )
  const [first, last] = [perMegabyte[0]!, perMegabyte.at(-1)!]
  const [found, goal, verdict] = judged(bootstrap(last.map((value, i) => value / first[i]!)), linear)
  return `Our time for each MB of the largest text beside that of the smallest: ${found}, goal ${goal}: ${verdict}\n`
}

const pauseRow = async (folder: string, size: number): Promise<ReadonlyArray<string>> => {
  const found: Array<Pause> = []
  for (let i = 0; i < 3; i++) {
    const outcome = await inProcess<Pause>(["pause", fileIn(folder), String(size)], 5)
    if (typeof outcome === "string") return [`${size} MB`, outcome, "", "", "", ""]
    found.push(outcome)
    progress(`a heap of ${renderNumber(outcome.heap)} MB: a pause of ${renderNumber(outcome.pause)} ms`)
  }
  const middle = (of: (one: Pause) => number) => renderNumber(median(found.map(of)))
  return [
    `${middle(({ heap }) => heap)} MB`,
    `${middle(({ text }) => text)} MB`,
    `${middle(({ pause }) => pause)} ms`,
    `${middle(({ cpu }) => cpu)} ms`,
    `${middle(({ cpu, heap }) => cpu / heap)} ms`,
    `${middle(({ memory }) => memory)} MB`
  ]
}

/** Starts a process, and answers what it says. */
const inProcess = async <A>(args: ReadonlyArray<string>, minutes: number): Promise<A | string> => {
  const flags = ["--max-old-space-size=8192", "--expose-gc"]
  const child = spawn(process.execPath, [...flags, fileURLToPath(new URL("run.ts", import.meta.url)), ...args], {
    stdio: ["ignore", "ignore", "pipe", "ipc"]
  })
  let errors = ""
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)))
  let answer: A | undefined
  child.on("message", (message) => (answer = message as A))
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill("SIGKILL")
  }, minutes * 60_000)
  const [code, signal] = await once(child, "close") as [number | null, string | null]
  clearTimeout(timer)
  if (answer !== undefined) return answer
  if (isLate) return `more than ${minutes} min`
  if (/out of memory|Cannot create a string longer|Invalid array length|allocation failed/i.test(errors)) {
    return "out of memory"
  }
  return `failed: ${signal ?? code} ${errors.trim().split("\n").findLast((line) => line.includes("Error")) ?? ""}`
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`)

await main()
