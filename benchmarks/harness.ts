/**
 * Compares programs on a machine that runs other work too.
 *
 * Each round starts one fresh process for each variant, because the compiler decides differently in each process. The baseline gets a
 * second process: the A/A control, which must not differ from the baseline. After the warm-up the processes take turns of about 10 ms,
 * forth and back (A A' B B A' A), so that other work on the machine affects all of them. A disturbance makes a turn longer, never
 * shorter, so the first decile of its turns counts for a process. A round gives each variant one ratio to the baseline. The result is
 * the median over rounds, with a bootstrap interval. Rounds continue until the intervals are narrow enough or the time is over. When
 * the interval of the A/A control does not include 1, all results are marked as unmeasurable.
 *
 * Numbers without a baseline have no such control. Instead each process spins before and after the measurement: when it got less than
 * nine tenths of a core, its clock times are marked as unmeasurable too.
 *
 * A benchmark is a file that ends with `await benchmark(import.meta.url, …)`; the harness runs the same file again as the processes.
 */
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import { once } from "node:events"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { makeGuard } from "../packages/core/src/FiberCensus.ts"
import type { Guard } from "../packages/core/src/FiberCensus.ts"
import type { Interval } from "./statistics.ts"
import { bootstrap, firstDecile, judge, median } from "./statistics.ts"
import { machine, renderNumber, renderRatio, table } from "./table.ts"

/** One repetition of about 10 ms. It answers the cost of one operation, in the unit of the comparison. */
export type Repetition = () => number | Promise<number>

/** A compared program. It is prepared in the fresh process. */
export type Prepare = () => Repetition | Promise<Repetition>

/** Programs that do the same work. Each is compared with the first one. */
export interface Comparison {
  readonly name: string
  /** The unit of the numbers, e.g. `ns/fiber`. Less is better. */
  readonly unit: string
  /** The programs by name. The first one is the baseline. */
  readonly variants: Readonly<Record<string, Prepare>>
  /** The largest accepted ratio of a variant to the baseline. */
  readonly goals?: Readonly<Record<string, number>>
  /** Rounds end when every interval is narrower than this on both sides. Default 0.01. */
  readonly precision?: number
  /** Rounds end after this many milliseconds. Default 40 000. */
  readonly limitMs?: number
  readonly warmupMs?: number
  /** The number of turns of each process in a round. Default 40. */
  readonly turns?: number
  /** Flags of node for the processes. */
  readonly flags?: ReadonlyArray<string>
}

/** Numbers that are not compared with a baseline. Each process gives each of them once. */
export interface Measurement {
  readonly name: string
  /** The unit and the largest accepted value of each number, by its name. */
  readonly numbers: Readonly<Record<string, { readonly unit: string; readonly goal?: number }>>
  readonly processes?: number
  readonly flags?: ReadonlyArray<string>
  readonly take: () => Promise<Readonly<Record<string, number>>>
}

/** A line of the table that a benchmark prints. */
interface Row {
  readonly what: string
  readonly value: string
  readonly ratio: string
  readonly goal: string
  readonly verdict: string
}

/**
 * The processor time of this process in milliseconds, all threads together. For work that never waits, it is the time of a clock on a
 * quiet machine. On a busy machine it leaves out the time in which other processes had the core.
 */
export const cpuTime = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Collects all garbage, including objects that only a second collection or a later job can release. Needs `--expose-gc`. */
export const collectGarbage = async (): Promise<void> => {
  if (globalThis.gc === undefined) throw new Error("this case needs --expose-gc among its flags")
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    // The target of a WeakRef that was created or dereferenced lives until the end of the job.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const fewestRounds = 5
const control = "A/A control"

/**
 * Runs a benchmark and prints its table. It exits with 0 when every goal is met, with 1 when one is missed, and with 2 when one is
 * undecided. Arguments select the cases whose names contain one of them.
 */
export const benchmark = async (
  url: string,
  cases: ReadonlyArray<Comparison | Measurement>
): Promise<void> => {
  const [role, index, variant] = process.argv.slice(2)
  if (role === childRole) return runChild(cases[Number(index)]!, variant!)
  const words = process.argv.slice(2)
  const chosen = cases.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  const rows: Array<Row> = []
  for (const one of chosen) {
    const start = (name: string) => startChild(url, cases.indexOf(one), name, one.flags)
    rows.push(...await ("variants" in one ? compare(one, start) : measure(one, start)))
  }
  console.log(`${machine()}\n\n${renderTable(rows)}`)
  process.exitCode = rows.some(({ verdict }) => verdict === "missed")
    ? 1
    : rows.every(({ verdict }) => verdict === "passed" || verdict === "")
    ? 0
    : 2
}

// The parent

interface Child {
  readonly ask: (request: "prepare" | "warm" | "turn" | "take", warmupMs?: number) => Promise<unknown>
  readonly end: () => Promise<void>
}

type Start = (variant: string) => Child

const compare = async (comparison: Comparison, start: Start): Promise<ReadonlyArray<Row>> => {
  const { goals = {}, limitMs = 40_000, name, precision = 0.01, turns = 40, unit, variants, warmupMs = 400 } =
    comparison
  const [baseline, ...others] = Object.keys(variants) as [string, ...Array<string>]
  const labels = [baseline, control, ...others]
  const values = new Map<string, Array<number>>(labels.map((label) => [label, []]))
  const ratio = (label: string): Interval =>
    bootstrap(values.get(label)!.map((value, round) => value / values.get(baseline)![round]!))
  const deadline = performance.now() + limitMs
  let rounds = 0
  let longest = 0
  const precise = (): boolean =>
    labels.slice(1).every((label) => {
      const { high, low, value } = ratio(label)
      return Math.max(high - value, value - low) <= precision
    })
  while (rounds < fewestRounds || (performance.now() + longest < deadline && !precise())) {
    const began = performance.now()
    // The order rotates, so that a variant does not always follow the same other one.
    const order = labels.map((_, i) => labels[(i + rounds) % labels.length]!)
    await unlessKilled(async () => {
      const children = new Map(order.map((label) => [label, start(label === control ? baseline : label)]))
      try {
        await Promise.all([...children.values()].map((child) => child.ask("prepare")))
        for (const child of children.values()) await child.ask("warm", warmupMs)
        const taken = new Map<string, Array<number>>(labels.map((label) => [label, []]))
        for (let turn = 0; turn < turns; turn++) {
          for (const label of turn % 2 === 0 ? order : order.toReversed()) {
            taken.get(label)!.push(await children.get(label)!.ask("turn") as number)
          }
        }
        for (const label of labels) values.get(label)!.push(firstDecile(taken.get(label)!))
      } finally {
        await Promise.all([...children.values()].map((child) => child.end()))
      }
    })
    rounds++
    longest = Math.max(longest, performance.now() - began)
    progress(
      `${name}: round ${rounds}, ${labels.slice(1).map((label) => `${label} ${renderRatio(ratio(label))}`).join(", ")}`
    )
  }
  const alike = ratio(control)
  const measurable = alike.low <= 1 && alike.high >= 1
  return labels.map((label): Row => {
    const goal = goals[label]
    return {
      what: `${name}: ${label}`,
      value: `${renderNumber(median(values.get(label)!))} ${unit}`,
      ratio: label === baseline ? `${rounds} rounds` : renderRatio(ratio(label)),
      goal: goal === undefined ? "" : `≤ ${goal} ×`,
      verdict: label === control && !measurable
        ? "unmeasurable"
        : goal === undefined
        ? ""
        : measurable
        ? judge(ratio(label), goal)
        : "unmeasurable"
    }
  })
}

const measure = async (measurement: Measurement, start: Start): Promise<ReadonlyArray<Row>> => {
  const { name, numbers, processes = 3 } = measurement
  const values = new Map<string, Array<number>>(Object.keys(numbers).map((number) => [number, []]))
  let share = 1
  for (let i = 0; i < processes; i++) {
    await unlessKilled(async () => {
      const child = start("")
      try {
        const { coreShare, taken } = await child.ask("take") as Taken
        share = Math.min(share, coreShare)
        for (const [number, list] of values) list.push(taken[number]!)
      } finally {
        await child.end()
      }
    })
    progress(`${name}: process ${i + 1} of ${processes}, had at least ${(share * 100).toFixed(0)} % of a core`)
  }
  return Object.entries(numbers).map(([number, { goal, unit }]): Row => {
    const list = values.get(number)!
    // A few processes are too few for an interval, so the smallest and the largest value are shown.
    const range: Interval = { value: median(list), low: Math.min(...list), high: Math.max(...list) }
    return {
      what: `${name}: ${number}`,
      value: `${renderNumber(range.value)} ${unit}`,
      ratio: `${renderNumber(range.low)}–${renderNumber(range.high)}`,
      goal: goal === undefined ? "" : `≤ ${goal} ${unit}`,
      verdict: goal === undefined
        ? ""
        : clockUnits.has(unit) && share < quietShare
        ? "unmeasurable"
        : judge(range, goal)
    }
  })
}

const killed = Symbol()

/** Repeats a run whose process was killed, which happens on a shared machine. Other failures are not repeated. */
const unlessKilled = async (run: () => Promise<void>, attempts = 5): Promise<void> => {
  try {
    await run()
  } catch (error) {
    if (attempts === 1 || !(error instanceof Error) || error.cause !== killed) throw error
    progress(`${error.message}; again`)
    await unlessKilled(run, attempts - 1)
  }
}

interface Taken {
  readonly taken: Readonly<Record<string, number>>
  /** The share of a core that this process could get, just before and just after. */
  readonly coreShare: number
}

const quietShare = 0.9
// Only clock times depend on the share of a core. Processor time does not.
const clockUnits: ReadonlySet<string> = new Set(["ns", "ms", "s", "% of time"])

const startChild = (url: string, index: number, variant: string, flags: ReadonlyArray<string> = []): Child => {
  const child: ChildProcess = fork(fileURLToPath(url), [childRole, String(index), variant], { execArgv: [...flags] })
  const ended = once(child, "exit")
  const failed = async (request: string): Promise<never> => {
    const [code, signal] = await ended
    const message = `the process of ${variant} ended with ${signal ?? code} when it was asked to ${request}`
    throw new Error(message, { cause: signal === null ? undefined : killed })
  }
  return {
    ask: (request, warmupMs) => {
      // An error of `send` is ignored: the end of the process reports it.
      child.send({ request, warmupMs }, () => {})
      return Promise.race([once(child, "message").then(([answer]) => answer as unknown), failed(request)])
    },
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill("SIGKILL")
      await ended
    }
  }
}

// The child

const childRole = "--child"

const runChild = async (one: Comparison | Measurement, variant: string): Promise<void> => {
  let repetition: Repetition = () => Number.NaN
  const answers = {
    prepare: async () => {
      if ("variants" in one) repetition = await one.variants[variant]!()
    },
    warm: async (warmupMs: number) => {
      const end = performance.now() + warmupMs
      while (performance.now() < end) await repetition()
    },
    turn: async () => repetition(),
    take: async () => {
      if (!("take" in one)) return undefined
      const before = spin()
      const taken = await one.take()
      return { taken, coreShare: Math.min(before, spin()) } satisfies Taken
    }
  }
  process.on("message", (message) => {
    const { request, warmupMs } = message as { request: keyof typeof answers; warmupMs: number }
    answers[request](warmupMs).then(
      (answer) => process.send!(answer ?? null),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      }
    )
  })
}

/** The share of a core that a busy process gets. */
const spin = (): number => {
  const start = performance.now()
  const before = cpuTime()
  while (performance.now() - start < 200);
  return (cpuTime() - before) / (performance.now() - start)
}

// Output

const progress = (line: string): void => {
  process.stderr.write(line + "\n")
}

const renderTable = (rows: ReadonlyArray<Row>): string =>
  table([
    ["", "median", "ratio [95 %] or range", "goal", "verdict"],
    ...rows.map(({ goal, ratio, value, verdict, what }) => [what, value, ratio, goal, verdict])
  ])

/** A guard for a measured part of the agent. A failure ends the process, because a part that is switched off would seem fast. */
export const strictGuard = (): Guard =>
  makeGuard((name, message) => {
    console.error(`${name} failed: ${message}`)
    process.exit(1)
  })
