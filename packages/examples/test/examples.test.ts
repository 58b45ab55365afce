/**
 * Runs every pair as a reader would, in its own process, and checks only its output and its end.
 */
import { assert, describe, it } from "@effect/vitest"
import { paceOf } from "../src/pace.ts"
import { run } from "./support.ts"

/** The expected output of a pair: the state after the first round, and its growth with each unit of work. */
const pairs = [
  {
    pattern: "background-tasks",
    first: "100 requests",
    state: (n: number) => `${n} background tasks are live`,
    leaks: 100,
    perWork: 1
  },
  {
    pattern: "uncancelled-workers",
    first: "1 session",
    state: (n: number) => `${n} workers are live, and their caches hold ${n * 10} items`,
    leaks: 10,
    perWork: 10
  },
  {
    pattern: "rescheduling-connection",
    first: "50 requests",
    state: (n: number) => `${n} connections are open`,
    leaks: 50,
    keeps: 10, // the pool
    perWork: 1
  },
  {
    pattern: "unfinished-generator",
    first: "1 preview",
    state: (n: number) => `10 rows were read, and ${n} generators did not finish`,
    counted: /(\d+) generators/,
    leaks: 1,
    perWork: 1
  },
  {
    pattern: "global-task-list",
    first: "100 requests",
    state: (n: number) => `${n} tasks are listed, 0 of them run`,
    leaks: 100,
    perWork: 1
  },
  {
    pattern: "listeners",
    first: "100 requests",
    state: (n: number) => `${n} listeners are registered`,
    leaks: 100,
    perWork: 1
  },
  {
    pattern: "unbounded-queue",
    first: "1500 orders",
    state: (n: number) =>
      n === 1500 ? "1500 orders wait, 0 are shipped" : `${n} orders wait, 0 are shipped, 500 were refused`,
    leaks: 1500,
    keeps: 1000, // the capacity
    perWork: 0
  }
] as const

interface Pair {
  readonly pattern: string
  readonly first: string
  readonly state: (n: number) => string
  readonly leaks: number
  /** The amount that a fixed version keeps on purpose. */
  readonly keeps?: number
  /** The amount that remains after each unit of work in the leaky version. */
  readonly perWork: number
  readonly counted?: RegExp
}

const variants = ["leaky", "fixed"] as const

describe.each<Pair>(pairs)("$pattern", ({ counted = /: (\d+)/, first, keeps = 0, leaks, pattern, perWork, state }) => {
  const last = (line: string | undefined) => ({
    begun: Number(/^at the end, after (\d+) /.exec(line ?? "")?.[1]),
    left: Number(counted.exec(line ?? "")?.[1])
  })

  it.concurrent.each(variants)("%s prints what it keeps and ends by itself", async (variant) => {
    const { stdout, ...ended } = await run(`${pattern}/${variant}`, ["--fast", "--for", "1s"])
    assert.deepStrictEqual(ended, { code: 0, signal: null, stderr: "" })
    const lines = stdout.trimEnd().split("\n")
    assert.lengthOf(lines, 3)
    assert.match(lines[0]!, new RegExp(`^${pattern}, ${variant}: \\d+ \\w+ a second$`))
    assert.include(lines[1], `after the first ${first}: ${state(variant === "leaky" ? leaks : keeps)}`)
    const { begun, left } = last(lines[2])
    assert.isAbove(begun, parseInt(first))
    // Interrupted work may leave nothing, and running work is not a leak, so a difference of up to a hundred is accepted.
    const [least, most] = variant === "leaky"
      ? [Math.max(leaks, (begun - 100) * perWork), begun * Math.max(1, perWork)]
      : [0, Math.max(keeps, 100)]
    assert.isAtLeast(left, least)
    assert.isAtMost(left, most)
  })

  it.concurrent.each(variants)("%s ends on SIGTERM and prints its state", async (variant) => {
    const { stdout, ...ended } = await run(`${pattern}/${variant}`, ["--for", "1m"], {
      signal: "SIGTERM",
      afterLines: 2
    })
    assert.deepStrictEqual(ended, { code: 0, signal: null, stderr: "" })
    assert.match(stdout.trimEnd().split("\n")[2]!, /^at the end, after \d+ \w+: /)
  })
})

describe("the output of an example", () => {
  it.concurrent.each(["listeners/fixed", "example"])("may be closed early: %s ends without an error", async (name) => {
    const args = name === "example" ? ["listeners", "--for", "1m"] : ["--for", "3s"]
    const { signal, stderr, stdout } = await run(name, args, { closeAfterLines: 1 })
    assert.deepStrictEqual({ signal, stderr }, { signal: null, stderr: "" })
    assert.match(stdout, /^listeners/)
  })
})

describe("the arguments of an example", () => {
  it.each(
    [
      [["--for", "soon"], "--for soon: expected a number with a unit, such as 30s, 2m or 500ms"],
      [["--for", "0"], "--for 0: expected a number"],
      [["--for", "1h30"], "--for 1h30: expected a number"],
      [["--fro", "3s"], "Unknown option '--fro'"],
      [["fast"], "Unexpected argument 'fast'"],
      [["--for"], "Option '--for <value>' argument missing"]
    ] as const
  )("%j are refused with the correct format", (args, message) => {
    const pace = paceOf(args)
    assert("help" in pace && pace.wrong)
    assert.include(pace.help, message)
    assert.include(pace.help, "--for <time>")
  })

  it.each(
    [
      [[], { seconds: 12, fast: false }],
      [["--fast"], { seconds: 2, fast: true }],
      [["--for", "1.5m", "--fast"], { seconds: 90, fast: true }],
      [["--for=250ms"], { seconds: 0.25, fast: false }],
      [["--for", "7"], { seconds: 7, fast: false }]
    ] as const
  )("%j are understood", (args, pace) => {
    assert.deepStrictEqual(paceOf(args), pace)
  })

  it.concurrent("end the program with 64 when they are wrong", async () => {
    const { code, stderr, stdout } = await run("listeners/fixed", ["--for", "soon"])
    assert.deepStrictEqual({ code, stdout }, { code: 64, stdout: "" })
    assert.include(stderr, "--for soon: expected a number")
  })

  it.concurrent("are explained by --help", async () => {
    const { code, stderr, stdout } = await run("listeners/leaky", ["--help"])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.include(stdout, "--fast")
  })
})
