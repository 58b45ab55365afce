/**
 * What the agent takes from a program with 100 000 live fibers: its ticks, their share of a core at one a second, and the passes that
 * look for abandoned fibers after a garbage collection. Readings, which are collections, are left out: see sampling.ts.
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

/** Milliseconds of processor time that `seconds` of this process take, all of its threads together. */
const cpuMs = async (seconds: number): Promise<number> => {
  const before = cpuTime()
  await pause(seconds * 1000)
  return cpuTime() - before
}

/** Fibers that wait, forked at as many places as there are `sites`. */
const makeForks = ({ Effect }: EffectModule, sites: number) => {
  const forks = Array.from({ length: sites }, (_, i) =>
    Effect.fn(`site${i}`)(function*() {
      return yield* Effect.forkDetach(Effect.never, { startImmediately: true })
    }))
  let next = 0
  return (): Fiber.Fiber<never> => Effect.runSync(forks[next++ % sites]!())
}

/** The census over a copy of Effect, and the function that ends it. */
const adopt = async (effect: EffectModule): Promise<{ readonly census: FiberCensus; readonly release: () => void }> => {
  const { get } = await import("../packages/core/src/FiberCensus.ts")
  const release = get().adopt(Object.getPrototypeOf(effect.Effect.runFork(effect.Effect.void)), "the benchmark")!
  get().flow()
  return { census: get(), release }
}

/** An agent that ticks once a second, whose messages are written and dropped. */
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
    "first tick, tells all sites": { unit: "CPU ms" },
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
      "first tick, tells all sites": ticks[0]!,
      "share": cpu / (secondsWatched * 10),
      "sent each tick": (bytes() - before) / (ticks.length - 1)
    }
  }
})

/** As many fibers, of which a thousand end and a thousand are forked in each second. */
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
    // Without, with and without again: what is still being compiled shall not count for either.
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

/** A pass over all tenured fibers follows a major collection, in slices, so that the program does not feel it. */
const pass: Measurement = {
  name: `pass over ${fibers} after a collection`,
  numbers: {
    "slice": { unit: "CPU ms", goal: 1 },
    "longest slice": { unit: "CPU ms" },
    "whole pass": { unit: "CPU ms" }
  },
  flags: ["--expose-gc"],
  take: async () => {
    // The census keeps the timers it found when it was loaded, and runs its slices by them.
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
    // The first pass needs no collection; a second one is due no earlier than five seconds after it.
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
