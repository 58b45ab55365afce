/**
 * What V8's allocation sampling costs: the slowdown of a loop that does nothing but allocate, and the time in readings, each of which
 * is a major collection, by the size of the live heap.
 *
 *     npm run bench:sampling [-- <part of a case's name> …]
 */
import { get } from "../packages/core/src/FiberCensus.ts"
import { startAgent } from "../packages/detector/src/agent/Agent.ts"
import { sampleAllocations } from "../packages/detector/src/agent/AllocationSamples.ts"
import type { Measurement, Prepare } from "./harness.ts"
import { benchmark, collectGarbage } from "./harness.ts"

const KiB = 1024
const MB = 1e6

/** The loop, with a sample in about `bytes`, or without sampling. */
const allocating = (bytes: number): Prepare => () => {
  if (bytes > 0) sampleAllocations(bytes, () => false)
  const count = 1_000_000
  // A few thousand survive for a while, as in a program; nothing is kept for good.
  const recent: Array<unknown> = new Array(4096).fill(undefined)
  return () => {
    const start = performance.now()
    for (let i = 0; i < count; i++) recent[i & 4095] = { id: i, name: "allocated", next: undefined }
    return (performance.now() - start) * 1e6 / count
  }
}

/** Fills about `bytes` with small objects that stay, and goes on allocating some that do not. */
const busyHeap = (bytes: number): void => {
  const kept: Array<unknown> = []
  const base = process.memoryUsage().heapUsed
  while (process.memoryUsage().heapUsed - base < bytes) {
    for (let i = 0; i < 10_000; i++) kept.push({ id: i, tags: [i, i + 1], next: kept[kept.length - 1 - (i % 100)] })
  }
  let last: unknown
  setInterval(() => {
    for (let i = 0; i < 2000; i++) last = { id: i, last: undefined }
    if (kept.length === 0) console.error(last)
  }, 10)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The budget of `fiberscope run`. */
const budget = {
  intervalMs: 1000,
  samplingBytes: 32 * KiB,
  readingMs: 2000,
  readingShare: 0.015,
  sites: "named"
} as const

/**
 * The time in readings, from one to the next: the pause, and the writing of what was read. A long reading is paid for by waiting longer,
 * so whole cycles must be watched; at 1 GB one takes most of a minute.
 */
const readings = (megabytes: number, cycles: number): Measurement => ({
  name: `readings at ${megabytes} MB`,
  numbers: {
    "share of time": { unit: "%", goal: 2 },
    "pause": { unit: "ms" },
    "between two": { unit: "s" }
  },
  processes: 1,
  flags: ["--max-old-space-size=8192"],
  take: async () => {
    // Started first: the samples of the whole heap are to be read, as in a program that is watched from its start.
    const at: Array<number> = []
    const pauses: Array<number> = []
    let writing = 0
    const agent = startAgent(get(), budget, (message) => {
      const start = performance.now()
      JSON.stringify(message)
      if (message.type === "samples") {
        at.push(message.t)
        pauses.push(message.pauseMs)
      }
      if (message.type !== "tick") writing += performance.now() - start
    })
    busyHeap(megabytes * MB)
    setInterval(agent.tick, budget.intervalMs)
    // The first readings tell the stacks and samples of all that is alive; they are not what it costs to go on.
    while (at.length < 2) await pause(100)
    writing = 0
    while (at.length < cycles + 2) await pause(100)
    const time = at.at(-1)! - at[1]!
    // A cycle is a reading and the wait after it.
    const spent = pauses.slice(1, -1).reduce((sum, ms) => sum + ms, 0) + writing
    return { "share of time": spent / time * 100, "pause": spent / cycles, "between two": time / cycles / 1000 }
  }
})

/** Goes on to one of the ways below, by the last digit of the path to the base of six. */
const next = (path: number, depth: number): unknown =>
  depth === 0 ? new Array(8192).fill(path) : ways[path % 6]!(Math.floor(path / 6), depth - 1)

// V8 tells stacks apart by the place of their functions, so these have a place each: 6^6 stacks.
const ways: ReadonlyArray<(path: number, depth: number) => unknown> = [
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth)
]

/** What the sampler keeps for itself; it remembers 20 000 stacks and no more. */
const own: Measurement = {
  name: "memory of the sampler",
  numbers: {
    "with 20 000 stacks": { unit: "MB" },
    "growth by as many more": { unit: "MB", goal: 1 },
    "growth by 100 readings": { unit: "MB", goal: 1 }
  },
  processes: 1,
  flags: ["--expose-gc", "--max-old-space-size=8192"],
  take: async () => {
    const samples = sampleAllocations(32 * KiB, () => false)
    const used = async (): Promise<number> => {
      await collectGarbage()
      const { external, heapUsed } = process.memoryUsage()
      return (heapUsed + external) / MB
    }
    let known = 0
    /** Allocates twice the sampling interval under each of these stacks, and lets go of it once it was read. */
    const see = (from: number, to: number): void => {
      for (let path = from; path < to; path += 2000) {
        const living = Array.from({ length: 2000 }, (_, i) => next(path + i, 6))
        known += samples.read().stacks.length
        living.length = 0
      }
      samples.read()
    }
    const start = await used()
    see(0, 26_000)
    if (known < 20_000) throw new Error(`${known} stacks are too few to show the bound`)
    const full = await used()
    see(26_000, 46_000)
    const over = await used()
    for (let i = 0; i < 100; i++) see(0, 2000)
    return {
      "with 20 000 stacks": full - start,
      "growth by as many more": over - full,
      "growth by 100 readings": await used() - over
    }
  }
}

await benchmark(import.meta.url, [
  {
    name: "allocating",
    unit: "ns/object",
    variants: {
      "no sampling": allocating(0),
      "512 KiB": allocating(512 * KiB),
      "128 KiB": allocating(128 * KiB),
      "64 KiB": allocating(64 * KiB),
      "32 KiB": allocating(32 * KiB)
    },
    goals: { "512 KiB": 1.05, "32 KiB": 1.3 },
    limitMs: 60_000
  },
  readings(20, 3),
  readings(300, 2),
  readings(1000, 1),
  own
])
