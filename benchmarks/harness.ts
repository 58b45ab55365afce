/**
 * Compares programs on a machine that is not quiet.
 *
 * Each round starts one fresh process for each variant, because the compiler decides differently in each process, and one more for
 * the baseline: the A/A control, which no honest comparison may call different. After the warm-up the processes take turns of some
 * ten milliseconds, forth and back (A A' B B A' A), so that whatever else the machine does meets all of them. What disturbs a turn
 * makes it longer, never shorter, so a process counts with the first decile of its turns. A round gives each variant one ratio to the
 * baseline; the result is the median over rounds, and its interval the bootstrap's. Rounds go on until the intervals are narrow
 * enough or the time is over. When the interval of the A/A control does not cover 1, nothing is called measured.
 *
 * Numbers without a baseline have no such control. Instead each process spins before and after: when it got less than nine tenths of
 * a core, what it read from the clock is called unmeasurable too.
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

/** One repetition of some ten milliseconds; answers what one operation took, in the unit of the comparison. */
export type Repetition = () => number | Promise<number>

/** A program that is compared. `prepare` runs in the fresh process. */
export type Prepare = () => Repetition | Promise<Repetition>

/** Programs that do the same work, compared with the first of them. */
export interface Comparison {
  readonly name: string
  /** What the numbers count, e.g. `ns/fiber`; less is better. */
  readonly unit: string
  /** By name; the first is the baseline. */
  readonly variants: Readonly<Record<string, Prepare>>
  /** The most that the ratio of a variant to the baseline may be. */
  readonly goals?: Readonly<Record<string, number>>
  /** Rounds end when every interval is narrower than this to both sides. Default 0.01. */
  readonly precision?: number
  /** Rounds end when this is over. Default 40 000. */
  readonly limitMs?: number
  readonly warmupMs?: number
  /** Turns of each process in a round. Default 40. */
  readonly turns?: number
  /** Flags of node for the processes. */
  readonly flags?: ReadonlyArray<string>
}

/** Numbers that are not compared with a baseline; each process gives each of them once. */
export interface Measurement {
  readonly name: string
  /** What the numbers count, by the name of the number, and the most it may be. */
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
 * Milliseconds of processor time that this process has taken, all of its threads together: for work that waits for nothing it says the
 * same as a clock on a quiet machine, and leaves out the time for which others had the core on another.
 */
export const cpuTime = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Collects all garbage, what only a second collection or a later job lets go included. Needs `--expose-gc`. */
export const collectGarbage = async (): Promise<void> => {
  if (globalThis.gc === undefined) throw new Error("this case needs --expose-gc among its flags")
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    // What a WeakRef was made of or dereferenced to lives until the job is over.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const fewestRounds = 5
const control = "A/A control"

/**
 * Runs a benchmark and prints its table. Exits with 0 when every goal is met, with 1 when one is missed, and with 2 when one could
 * not be decided. Arguments choose cases whose name contains one of them.
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
    // The order rotates, so that no variant is always the one after a certain other.
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
    // A few processes have no interval worth the name: the least and the most that were seen stand for it.
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

/** On a machine that others use too, a process may be killed for reasons of theirs: that is repeated, a failure is not. */
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
  /** What this process could have of a core, just before and just after. */
  readonly coreShare: number
}

const quietShare = 0.9
// Of processor time one has what one had.
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
      // That a process cannot be asked any more is told by its end.
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

/** The share of a core that a process gets that wants one. */
const spin = (): number => {
  const start = performance.now()
  const before = cpuTime()
  while (performance.now() - start < 200);
  return (cpuTime() - before) / (performance.now() - start)
}

// What is printed

const progress = (line: string): void => {
  process.stderr.write(line + "\n")
}

const renderTable = (rows: ReadonlyArray<Row>): string =>
  table([
    ["", "median", "ratio [95 %] or range", "goal", "verdict"],
    ...rows.map(({ goal, ratio, value, verdict, what }) => [what, value, ratio, goal, verdict])
  ])

/** A guard for a part of the agent that is measured: a part that fails and is switched off must not count as fast. */
export const strictGuard = (): Guard =>
  makeGuard((name, message) => {
    console.error(`${name} failed: ${message}`)
    process.exit(1)
  })
