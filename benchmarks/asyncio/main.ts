/**
 * The programs of the tutorial that Fiberscope is based on, in asyncio and in Effect: the cost of tracking, a snapshot, a comparison, a
 * task's memory, and cancelling everything.
 *
 *     npm run bench:asyncio [-- <part of a case's name> …]
 */
import type { Comparison, Measurement } from "../harness.ts"
import { benchmark } from "../harness.ts"
import * as ours from "./ours.ts"
import * as theirs from "./theirs.ts"

const count = 2000

const tracking = (name: string, variants: Comparison["variants"]): Comparison => ({
  name: `spawn + finish, ${name}`,
  unit: "ns/task",
  variants,
  precision: 0.03,
  limitMs: 20_000,
  warmupMs: 200,
  turns: 12
})

/** The numbers of both sides, in the order of the table. */
const questions = [
  { what: "list what is alive", unit: "CPU ms", program: "tracked", number: "list" },
  { what: "snapshot", unit: "CPU ms", program: "tracked", number: "take" },
  { what: "comparison", unit: "CPU ms", program: "tracked", number: "compare" },
  // Fiberscope sums up by site in the snapshot, tracemalloc in the comparison, so only the sum of both is comparable.
  { what: "snapshot and comparison", unit: "CPU ms", program: "tracked", number: "both" },
  { what: "cancel all", unit: "CPU ms", program: "plain", number: "cancel" },
  { what: "cancel all, TaskManager", unit: "CPU ms", program: "managed", number: "stop" },
  { what: "resident, untracked", unit: "bytes/task", program: "plain", number: "resident" },
  { what: "resident, tracked", unit: "bytes/task", program: "tracked", number: "resident" }
] as const

/** Each process of the harness runs all programs once, alternating between both sides, each in its own process. */
const living = (tasks: number, processes: number): Measurement => {
  // The size of a process is meaningless for a few tasks.
  const asked = questions.filter(({ unit }) => unit !== "bytes/task" || tasks >= 100_000)
  return {
    name: `${tasks} tasks`,
    numbers: Object.fromEntries([
      ...asked.flatMap(({ unit, what }) => [
        [`${what}, asyncio`, { unit }],
        [`${what}, ours`, { unit }],
        [`${what}, asyncio / ours`, { unit: "×" }]
      ]),
      ["heap of a task, asyncio", { unit: "bytes/task" }],
      ["heap of a task, ours", { unit: "bytes/task" }]
    ]),
    processes,
    take: async () => {
      const numbers: Record<string, number> = {}
      for (const program of ["plain", "tracked", "managed"] as const) {
        const asyncio = await theirs.run(program, tasks)
        const effect = await ours.run(program, tasks)
        for (const { number, program: from, what } of asked) {
          if (from !== program) continue
          numbers[`${what}, asyncio`] = asyncio[number]!
          numbers[`${what}, ours`] = effect[number]!
          numbers[`${what}, asyncio / ours`] = asyncio[number]! / effect[number]!
        }
        // Only tracemalloc knows asyncio's heap, so the value includes the entries of the WeakSet.
        if (program === "tracked") numbers["heap of a task, asyncio"] = asyncio["heap"]!
        if (program === "plain") numbers["heap of a task, ours"] = effect["heap"]!
        for (const { seen = tasks } of [asyncio, effect]) {
          if (seen !== tasks) throw new Error(`${seen} of ${tasks} tasks were seen`)
        }
      }
      return numbers
    }
  }
}

const reason = theirs.whyNot()
if (reason === undefined) {
  await benchmark(import.meta.url, [
    tracking("asyncio", {
      untracked: theirs.spawning(count, "untracked"),
      "WeakSet": theirs.spawning(count, "WeakSet"),
      "TaskManager": theirs.spawning(count, "TaskManager"),
      "MemoryLeakDetector": theirs.spawning(count, "MemoryLeakDetector")
    }),
    tracking("ours", {
      untracked: ours.spawning(count, "untracked"),
      LiveFibers: ours.spawning(count, "LiveFibers"),
      Snapshots: ours.spawning(count, "Snapshots")
    }),
    living(1000, 3),
    living(10_000, 3),
    living(100_000, 2)
  ])
} else {
  console.log(`skipped: ${reason}`)
}
