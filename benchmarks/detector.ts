/**
 * The cost of the agent in a program with 100 000 live fibers: its ticks, their share of a core at one per second, and the passes that
 * look for abandoned fibers after a garbage collection. Readings, which are collections, are measured in sampling.ts.
 *
 *     npm run bench:detector [-- <part of a case's name> …]
 */
import type { Fiber } from "effect"
import type { FiberCensus } from "../packages/core/src/FiberCensus.ts"
import type { Measurement } from "./harness.ts"
import { benchmark, collectGarbage, cpuTime, strictGuard } from "./harness.ts"
import { median } from "./statistics.ts"

const live = 100_000
const fibers = "100 000 fibers"
const secondsWatched = 10

type EffectModule = typeof import("effect")

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const until = async (reached: () => boolean): Promise<void> => {
  while (!reached()) await pause(50)
}

/** The processor time that this process takes in `seconds`, in milliseconds, all threads together. */
const cpuMs = async (seconds: number): Promise<number> => {
  const before = cpuTime()
  await pause(seconds * 1000)
  return cpuTime() - before
}

/** Makes waiting fibers that are forked at `sites` different places. */
const makeForks = ({ Effect }: EffectModule, sites: number) => {
  const forks = Array.from({ length: sites }, (_, i) =>
    Effect.fn(`site${i}`)(function*() {
      return yield* Effect.forkDetach(Effect.never, { startImmediately: true })
    }))
  let next = 0
  return (): Fiber.Fiber<never> => Effect.runSync(forks[next++ % sites]!())
}

/** The census of a copy of Effect, and the function that ends it. */
const adopt = async (effect: EffectModule): Promise<{ readonly census: FiberCensus; readonly release: () => void }> => {
  const { get } = await import("../packages/core/src/FiberCensus.ts")
  const release = get().adopt(Object.getPrototypeOf(effect.Effect.runFork(effect.Effect.void)), "the benchmark")!
  get().flow()
  return { census: get(), release }
}

/** An agent that ticks once a second. Its messages are serialized and dropped. */
const watch = async (census: FiberCensus) => {
  const { startAgent } = await import("../packages/detector/src/agent/Agent.ts")
  const { outletTo } = await import("../packages/detector/src/agent/Outlet.ts")
  let bytes = 0
  const options = { intervalMs: 1000, sampling: 0, readingMs: 0, readingShare: 0, sites: "named" } as const
  const outlet = outletTo((message) => bytes += JSON.stringify(message).length)
  const agent = startAgent(census, options, outlet, strictGuard())
  const ticks: Array<number> = []
  const tick = (): void => {
    const start = cpuTime()
    agent.tick()
    ticks.push(cpuTime() - start)
  }
  tick()
  const timer = setInterval(tick, options.intervalMs)
  const stop = (): void => {
    clearInterval(timer)
    agent.stop()
  }
  return { ticks, bytes: () => bytes, stop }
}

const still = (sites: number): Measurement => ({
  name: `${fibers} in ${sites} ${sites === 1 ? "site" : "sites"}`,
  numbers: {
    "tick": { unit: "CPU ms", goal: 1 },
    "longest tick but the first": { unit: "CPU ms" },
    "first tick, sends all sites": { unit: "CPU ms" },
    "share": { unit: "% of a core", goal: 0.5 },
    "sent each tick": { unit: "bytes" }
  },
  processes: 2,
  take: async () => {
    const effect = await import("effect")
    const { census } = await adopt(effect)
    const fork = makeForks(effect, sites)
    const fibers = Array.from({ length: live }, fork)
    await until(() => census.counts().tenured === fibers.length)
    const { bytes, ticks } = await watch(census)
    const before = bytes()
    const cpu = await cpuMs(secondsWatched)
    if (census.liveBySite().size !== sites) throw new Error("sites are missing")
    return {
      "tick": median(ticks.slice(1)),
      "longest tick but the first": Math.max(...ticks.slice(1)),
      "first tick, sends all sites": ticks[0]!,
      "share": cpu / (secondsWatched * 10),
      "sent each tick": (bytes() - before) / (ticks.length - 1)
    }
  }
})

/** The same number of fibers, of which a thousand end and a thousand start each second. */
const churning: Measurement = {
  name: `${fibers} in 100 sites, 1000 new a second`,
  numbers: {
    "tick": { unit: "CPU ms", goal: 1 },
    "share": { unit: "% of a core", goal: 0.5 },
    "share of the program itself": { unit: "% of a core" }
  },
  processes: 2,
  take: async () => {
    const effect = await import("effect")
    const fork = makeForks(effect, 100)
    const fibers: Array<Fiber.Fiber<never>> = []
    const fill = (): void => {
      for (let i = 0; i < live; i++) fibers[i] = fork()
    }
    let oldest = 0
    const churn = (): void => {
      for (let i = 0; i < 20; i++) {
        fibers[oldest]!.interruptUnsafe()
        fibers[oldest] = fork()
        oldest = (oldest + 1) % live
      }
    }
    fill()
    setInterval(churn, 20)
    // Measured without, with and again without the agent, so that compilation does not count for only one of them.
    await pause(3000)
    const before = await cpuMs(secondsWatched / 2)
    const { census, release } = await adopt(effect)
    fill()
    await until(() => census.counts().tenured >= live * 0.95)
    const { stop, ticks } = await watch(census)
    await pause(2000)
    const watched = await cpuMs(secondsWatched)
    stop()
    release()
    const plain = before + await cpuMs(secondsWatched / 2)
    return {
      "tick": median(ticks.slice(1)),
      "share": (watched - plain) / (secondsWatched * 10),
      "share of the program itself": plain / (secondsWatched * 10)
    }
  }
}

/** The pass over all tenured fibers after a major collection. It runs in slices, so that it does not delay the program. */
const pass: Measurement = {
  name: `pass over ${fibers} after a collection`,
  numbers: {
    "slice": { unit: "CPU ms", goal: 1 },
    "longest slice": { unit: "CPU ms" },
    "whole pass": { unit: "CPU ms" }
  },
  flags: ["--expose-gc"],
  take: async () => {
    // The census runs its slices with the timer functions that it found when it was loaded.
    const slices: Array<number> = []
    const { setTimeout: setTimer } = globalThis
    globalThis.setTimeout = ((run: () => void, ms: number) =>
      setTimer(() => {
        const start = cpuTime()
        run()
        slices.push(cpuTime() - start)
      }, ms)) as typeof setTimeout
    const effect = await import("effect")
    const { census } = await adopt(effect)
    globalThis.setTimeout = setTimer
    const fork = makeForks(effect, 100)
    const fibers = Array.from({ length: live }, fork)
    await until(() => census.counts().tenured === fibers.length)
    // The first pass needs no collection. A second one runs at least five seconds after it.
    await pause(8000)
    slices.length = 0
    await collectGarbage()
    await until(() => slices.length > 0)
    await pause(3000)
    const expected = Math.floor(live / 4096)
    if (slices.length !== expected) throw new Error(`${slices.length} slices, not ${expected}`)
    return {
      "slice": median(slices),
      "longest slice": Math.max(...slices),
      "whole pass": slices.reduce((sum, ms) => sum + ms, 0)
    }
  }
}

await benchmark(import.meta.url, [still(1), still(100), still(4000), churning, pass])
