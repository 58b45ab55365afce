/**
 * The cost of V8's allocation sampling: the slowdown of a loop that only allocates, and the time in readings, each of which is a major
 * collection, by the size of the live heap.
 *
 *     npm run bench:sampling [-- <part of a case's name> …]
 */
import { get } from "../packages/core/src/FiberCensus.ts"
import { startAgent } from "../packages/detector/src/agent/Agent.ts"
import { sampleAllocations } from "../packages/detector/src/agent/AllocationSamples.ts"
import { outletTo } from "../packages/detector/src/agent/Outlet.ts"
import type { Measurement, Prepare } from "./harness.ts"
import { benchmark, collectGarbage, cpuTime, strictGuard } from "./harness.ts"

const KiB = 1024
const MB = 1e6

/** The reading budget of `fiberscope run`. */
const budget = {
  intervalMs: 1000,
  sampling: "adaptive",
  readingMs: 2000,
  readingShare: 0.015,
  sites: "named"
} as const

/** The allocations of the loops. The last few thousand objects are alive, as in a program; none is kept permanently. */
const loops = {
  objects: (recent: Array<unknown>, count: number): void => {
    for (let i = 0; i < count; i++) recent[i & 4095] = { id: i, name: "allocated", next: undefined }
  },
  arrays: (recent: Array<unknown>, count: number): void => {
    for (let i = 0; i < count; i++) recent[i & 4095] = { id: i, values: new Array(250).fill(i) }
  },
  records: (recent: Array<unknown>, count: number): void => {
    for (let i = 0; i < count; i++) recent[i & 4095] = JSON.parse(record)
  }
} as const

const record = JSON.stringify({ id: 1, name: "Ada", tags: ["a", "b", "c"], at: { x: 1.5, y: [1, 2, 3] } })

/** The number of allocations that take about 10 ms. */
const counts: Readonly<Record<keyof typeof loops, number>> = { objects: 1_000_000, arrays: 50_000, records: 10_000 }

/**
 * A loop that only allocates, under `depth` frames, with a sample in about `bytes`, or without sampling. V8 walks the stack for each
 * sample, and each garbage collection handles each sample.
 */
const allocating = (bytes: number, depth = 0, what: keyof typeof loops = "objects"): Prepare => () => {
  if (bytes > 0) sampleAllocations(bytes, () => false)
  const recent: Array<unknown> = new Array(4096).fill(undefined)
  const run = (below: number): number => {
    if (below > 0) return run(below - 1) + 1
    loops[what](recent, counts[what])
    return 0
  }
  return () => {
    const start = cpuTime()
    run(depth)
    return (cpuTime() - start) * 1e6 / counts[what]
  }
}

/** The same loop with the adaptive interval of `fiberscope run`, which follows the allocation rate. */
const adaptive = (depth = 0): Prepare => async () => {
  const run = await allocating(0, depth)()
  const agent = startAgent(get(), { ...budget, readingMs: 1e9 }, outletTo(() => {}), strictGuard())
  return () => {
    agent.early()
    return run()
  }
}

/** Fills about `bytes` with small objects that are kept, and then allocates objects that are not. */
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

/**
 * The time in readings: the pause, and the serialization of the result. A long reading delays the next one, so whole cycles from one
 * reading to the next are measured. At 1 GB a cycle takes most of a minute.
 */
const readings = (megabytes: number, cycles: number): Measurement => ({
  name: `readings at ${megabytes} MB`,
  numbers: {
    "share": { unit: "% of time", goal: 2 },
    "share, counted in processor time": { unit: "% of a core" },
    "one reading": { unit: "ms" },
    "one reading, counted in processor time": { unit: "CPU ms" },
    "from one to the next": { unit: "s" }
  },
  processes: 1,
  flags: ["--max-old-space-size=8192"],
  take: async () => {
    let sampled = false
    // Sampling starts before the heap is filled, so that readings include all of it, as in a program that is observed from its start.
    const outlet = outletTo((message) => {
      JSON.stringify(message)
      if (message.type === "samples") sampled = true
    })
    const agent = startAgent(get(), budget, outlet, strictGuard())
    busyHeap(megabytes * MB)
    const found: Array<{ readonly at: number; readonly wall: number; readonly cpu: number }> = []
    setInterval(() => {
      sampled = false
      const at = performance.now()
      const cpu = cpuTime()
      agent.tick()
      if (sampled) found.push({ at, wall: performance.now() - at, cpu: cpuTime() - cpu })
    }, budget.intervalMs)
    // The first reading sends the stacks and samples of everything alive, so it does not count for the running cost.
    while (found.length < cycles + 2) await pause(100)
    const paid = found.slice(1, -1)
    const time = found.at(-1)!.at - found[1]!.at
    const wall = paid.reduce((sum, reading) => sum + reading.wall, 0)
    const cpu = paid.reduce((sum, reading) => sum + reading.cpu, 0)
    return {
      "share": wall / time * 100,
      "share, counted in processor time": cpu / time * 100,
      "one reading": wall / cycles,
      "one reading, counted in processor time": cpu / cycles,
      "from one to the next": time / cycles / 1000
    }
  }
})

/** Calls one of the functions below, chosen by the last base-6 digit of the path. */
const next = (path: number, depth: number): unknown =>
  depth === 0 ? new Array(8192).fill(path) : ways[path % 6]!(Math.floor(path / 6), depth - 1)

// V8 distinguishes stacks by the places of their functions. These functions have different places, which gives 6^6 stacks.
const ways: ReadonlyArray<(path: number, depth: number) => unknown> = [
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth),
  (path, depth) => next(path, depth)
]

/** The memory of the sampler itself. It remembers at most 20 000 stacks. */
const own: Measurement = {
  name: "memory of the sampler",
  numbers: {
    "with 20 000 stacks": { unit: "MB" },
    "growth by 20 000 further stacks": { unit: "MB", goal: 1 },
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
    /** Allocates twice the sampling interval under each of these stacks, and releases it after a reading. */
    const see = (from: number, to: number): void => {
      for (let path = from; path < to; path += 2000) {
        const living = Array.from({ length: 2000 }, (_, i) => next(path + i, 6))
        const reading = samples.read(Infinity)
        known += typeof reading === "number" ? 0 : [...reading.stacks()].length
        living.length = 0
      }
      samples.read(Infinity)
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
      "growth by 20 000 further stacks": over - full,
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
      "128 KiB": allocating(128 * KiB),
      "64 KiB": allocating(64 * KiB),
      "32 KiB": allocating(32 * KiB),
      "adaptive": adaptive()
    },
    goals: { "32 KiB": 1.3, "adaptive": 1.05 },
    limitMs: 45_000
  },
  {
    // The ratio is close to its goal, so it has its own rounds.
    name: "allocating, 512 KiB",
    unit: "ns/object",
    variants: { "no sampling": allocating(0), "512 KiB": allocating(512 * KiB) },
    goals: { "512 KiB": 1.05 },
    limitMs: 60_000
  },
  ...(["arrays", "records"] as const).map((what) => ({
    name: `allocating ${what === "arrays" ? "arrays of 250 numbers" : "parsed JSON"}`,
    unit: "ns each",
    variants: {
      "no sampling": allocating(0, 0, what),
      "512 KiB": allocating(512 * KiB, 0, what),
      "32 KiB": allocating(32 * KiB, 0, what)
    },
    goals: { "512 KiB": 1.05, "32 KiB": 1.3 },
    limitMs: 30_000
  })),
  {
    name: "allocating under 64 frames",
    unit: "ns/object",
    variants: {
      "no sampling": allocating(0, 64),
      "512 KiB": allocating(512 * KiB, 64),
      "32 KiB": allocating(32 * KiB, 64),
      "adaptive": adaptive(64)
    },
    precision: 0.03,
    limitMs: 20_000
  },
  readings(20, 3),
  readings(300, 2),
  readings(1000, 1),
  own
])
