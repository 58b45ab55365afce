/**
 * The cost of being counted by the census: fibers that do nothing, which is the worst case, with and without it.
 *
 *     npm run bench:tracking [-- <part of a case's name> …]
 */
import { get } from "../packages/core/src/FiberCensus.ts"
import { findEffect } from "../packages/detector/src/agent/FindEffect.ts"
import { makeForkLines } from "../packages/detector/src/agent/ForkLines.ts"
import type { ForkLines } from "../packages/detector/src/agent/ForkLines.ts"
import type { Comparison, Measurement, Prepare, Repetition } from "./harness.ts"
import { benchmark, collectGarbage, cpuTime, strictGuard } from "./harness.ts"

type EffectModule = typeof import("effect")

type Work = (effect: EffectModule) => Repetition

const untracked = (work: Work): Prepare => async () => work(await import("effect"))

/** Counted from the first fiber on: the load hook passes the class of the fibers. */
const find = (lines?: ForkLines): void => {
  const census = get()
  findEffect(
    {
      found: (prototype, where) => {
        census.adopt(prototype, where)
        census.flow()
      },
      foundRunning: () => {},
      unsupported: (what) => {
        throw new Error(what)
      }
    },
    lines?.rewrite ?? (() => undefined),
    strictGuard()
  )
}

const agent = (work: Work): Prepare => async () => {
  find()
  return proven(work(await import("effect")))
}

/** Counted as by `fiberscope run`: each `fork*` and `run*` has a wrapper too, which takes no line without a request. */
const command = (work: Work): Prepare => async () => {
  const lines = makeForkLines(() => performance.now(), strictGuard())
  get().forkLines(lines.frameOf)
  find(lines)
  const repetition = await proven(work(await import("effect")))
  if (lines.calls() === 0) throw new Error("no call was wrapped")
  return repetition
}

/** Counted as by `LiveFibers.layer`, which takes the class from a running fiber. */
const layer = (work: Work): Prepare => async () => {
  const effect = await import("effect")
  adopt(effect)
  return proven(work(effect))
}

const adopt = ({ Effect }: EffectModule): void => {
  get().adopt(Object.getPrototypeOf(Effect.runFork(Effect.void)), "the benchmark")
}

/** Fails if the census saw no fiber, because the comparison would then look too good. */
const proven = async (repetition: Repetition): Promise<Repetition> => {
  await repetition()
  if (get().counts().started === 0) throw new Error("the census saw no fiber")
  return repetition
}

/** Nanoseconds of processor time for each of the `count` operations of one run. */
const timed = (count: number, run: () => Promise<unknown>): Repetition => async () => {
  const start = cpuTime()
  await run()
  return (cpuTime() - start) * 1e6 / count
}

const forkAndJoin: Work = ({ Effect, Fiber }) => {
  const count = 8000
  const program = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* Fiber.join(yield* Effect.forkChild(Effect.void))
  })
  return timed(count, () => Effect.runPromise(program))
}

const startImmediately: Work = ({ Effect, Fiber }) => {
  const count = 30_000
  const program = Effect.gen(function*() {
    for (let i = 0; i < count; i++) {
      yield* Fiber.join(yield* Effect.forkChild(Effect.void, { startImmediately: true }))
    }
  })
  return timed(count, () => Effect.runPromise(program))
}

const detachedBurst: Work = ({ Effect, Fiber }) => {
  const count = 20_000
  const program = Effect.gen(function*() {
    const fibers = []
    for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkDetach(Effect.void))
    yield* Fiber.awaitAll(fibers)
  })
  return timed(count, () => Effect.runPromise(program))
}

const suspendOnce: Work = ({ Effect, Fiber }) => {
  const count = 5000
  const program = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* Fiber.join(yield* Effect.forkChild(Effect.yieldNow))
  })
  return timed(count, () => Effect.runPromise(program))
}

/** All fibers are suspended before the first one ends. More than 4096 do not fit into the nursery. */
const suspendTogether = (count: number): Work => ({ Deferred, Effect, Fiber }) => {
  const program = Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const fibers = []
    for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkChild(Deferred.await(gate)))
    yield* Effect.yieldNow
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.awaitAll(fibers)
  })
  return timed(count, () => Effect.runPromise(program))
}

const yieldLoop: Work = ({ Effect }) => {
  const count = 15_000
  const program = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* Effect.yieldNow
  })
  return timed(count, () => Effect.runPromise(program))
}

/** A case without a goal, which shows where the costs are. */
const informative = (name: string, work: Work, unit = "ns/fiber"): Comparison => ({
  name,
  unit,
  variants: { untracked: untracked(work), agent: agent(work), command: command(work) },
  precision: 0.02,
  limitMs: 15_000,
  warmupMs: 300,
  turns: 16
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `count` fibers have been counted. If one is missed, the benchmark does not end. */
const started = async (count: number): Promise<void> => {
  while (get().counts().live < count) await pause(10)
}

/** Waits until the census has tenured `count` fibers. */
const tenured = async (count: number): Promise<void> => {
  while (get().counts().tenured < count) {
    await pause(500)
    get().sweep()
  }
}

/** The processor time in milliseconds of the first call, which is not compiled, and the mean of a hundred later calls. */
const time = (read: () => unknown): { readonly first: number; readonly later: number } => {
  const start = cpuTime()
  read()
  const first = cpuTime() - start
  for (let i = 0; i < 100; i++) read()
  return { first, later: (cpuTime() - start - first) / 100 }
}

const million: Measurement = {
  name: "1 000 000 live fibers in 4 000 sites",
  numbers: {
    "counts": { unit: "CPU ms", goal: 1 },
    "counts, first call": { unit: "CPU ms" },
    "live by site": { unit: "CPU ms", goal: 1 },
    "live by site, first call": { unit: "CPU ms" },
    "live by site, full nursery": { unit: "CPU ms", goal: 1 }
  },
  processes: 2,
  flags: ["--max-old-space-size=8192"],
  take: async () => {
    const effect = await import("effect")
    const { Effect } = effect
    adopt(effect)
    const census = get()
    const sites = 4000
    const forks = Array.from({ length: sites }, (_, i) =>
      Effect.fn(`site${i}`)(function*(count: number) {
        for (let n = 0; n < count; n++) living.push(yield* Effect.forkDetach(Effect.never))
      }))
    const living: Array<unknown> = []
    for (const fork of forks) await Effect.runPromise(fork(1_000_000 / sites))
    await tenured(living.length)
    const counts = time(() => census.counts())
    const bySite = time(() => census.liveBySite())
    if (census.liveBySite().size < sites) throw new Error("sites are missing")
    for (const fork of forks) await Effect.runPromise(fork(1))
    await started(living.length)
    const full = time(() => census.liveBySite())
    return {
      "counts": counts.later,
      "counts, first call": counts.first,
      "live by site": bySite.later,
      "live by site, first call": bySite.first,
      "live by site, full nursery": full.later
    }
  }
}

const memory: Measurement = {
  name: "memory",
  numbers: {
    "untracked fiber": { unit: "bytes" },
    "for each tenured fiber": { unit: "bytes", goal: 120 },
    "by the census' own account": { unit: "bytes" }
  },
  flags: ["--expose-gc"],
  take: async () => {
    const effect = await import("effect")
    const { Effect } = effect
    const count = 200_000
    const used = async (): Promise<number> => {
      await collectGarbage()
      const { external, heapUsed } = process.memoryUsage()
      return heapUsed + external
    }
    const fork = () => Array.from({ length: count }, () => Effect.runFork(Effect.never))
    // One fork first, to load and compile everything that forking needs.
    fork()
    const empty = await used()
    let fibers: ReadonlyArray<unknown> = fork()
    const plain = await used() - empty
    fibers = []
    const before = await used()
    adopt(effect)
    fibers = fork()
    await tenured(fibers.length)
    const counted = await used() - before
    return {
      "untracked fiber": plain / count,
      "for each tenured fiber": (counted - plain) / count,
      "by the census' own account": get().bytes() / count
    }
  }
}

await benchmark(import.meta.url, [
  {
    name: "fork and join",
    unit: "ns/fiber",
    variants: {
      untracked: untracked(forkAndJoin),
      agent: agent(forkAndJoin),
      command: command(forkAndJoin),
      layer: layer(forkAndJoin)
    },
    goals: { agent: 1.05, command: 1.05, layer: 1.05 },
    limitMs: 60_000
  },
  informative("start immediately", startImmediately),
  informative("detached burst", detachedBurst),
  informative("suspend once", suspendOnce),
  informative("3 000 suspended together", suspendTogether(3000)),
  informative("30 000 suspended together", suspendTogether(30_000)),
  informative("yield loop", yieldLoop, "ns/yield"),
  million,
  memory
])
