/** Simulated numbers, boards and memory that defend single limits: how often something is said of them, with the limits of the moment. */
import type { Message, Place } from "../../src/agent/Protocol.ts"
import type { Observation } from "../../src/observation/Observation.ts"
import { LargeObjectGrowth } from "../../src/rules/LargeObjectGrowth.ts"
import { SurvivorGrowth } from "../../src/rules/SurvivorGrowth.ts"
import * as Lifetimes from "../../src/statistics/Lifetimes.ts"
import { limits } from "../../src/statistics/limits.ts"
import * as Minima from "../../src/statistics/Minima.ts"
import { drift } from "../../src/statistics/Trend.ts"
import * as Turnover from "../../src/statistics/Turnover.ts"
import { lateOf } from "../../src/statistics/Window.ts"
import type { Random } from "./random.ts"
import { random, seeds } from "./random.ts"
import type { Life } from "./simulate.ts"
import { observe, place, readings } from "./simulate.ts"

const mb = 1024 * 1024

/** How many of so many seeds give what is asked for. */
const count = (of: number, holds: (chance: Random) => boolean): number =>
  seeds(of).filter((seed) => holds(random(seed))).length

/** Of 2 000 sums that wander in so many steps: how many drift. */
export const wandering = (steps: number): number =>
  count(2000, ({ normal }) => drift(Array.from({ length: steps }, () => normal())) >= 3)

/** Boards whose cells are filled at random, and that are cleared once near the middle: how many of 300 are called growing. */
export const boards = (): number =>
  count(300, ({ between, integer }) => {
    const end = 30_000
    const cells = new Map<number, number>()
    const record = Lifetimes.make()
    const put = (cell: number, t: number) => {
      const before = cells.get(cell)
      if (before !== undefined) record.recordDeath(before, t, 1)
      cells.set(cell, t)
      record.recordBirth(t, 1)
    }
    const cleared = between(0.3 * end, 0.5 * end)
    for (let t = 0; t < end; t += 100) {
      if (t >= cleared && t - 100 < cleared) {
        for (const born of cells.values()) record.recordDeath(born, t, 1)
        cells.clear()
      }
      put(integer(0, 300), t)
    }
    return Turnover.judge(record.all(), { start: 0, end }, 5000)._tag === "growing"
  })

/** Requests under way in each second, ten of which come in a second and take one on average. */
const underWay = ({ exponential, next, poisson }: Random, seconds: number): ReadonlyArray<number> => {
  const requests = Array.from(
    { length: seconds + 10 },
    (_, second) =>
      Array.from({ length: poisson(10) }, () => ({ from: second - 10, to: second - 10 + next() + exponential(1) }))
  ).flat()
  return Array.from(
    { length: seconds },
    (_, second) => requests.filter(({ from, to }) => from <= second && to > second + 1).length
  )
}

/** A number beneath such work that leaks one in five seconds, for five minutes: how many of 100 have minima that rise. */
export const slowGauges = (): number =>
  count(100, (chance) => {
    const points = underWay(chance, 300).map((value, i) => ({ t: 1000 * (i + 1), value: value + Math.floor(i / 5) }))
    const lows = Minima.inParts(points, lateOf({ start: 0, end: 300_001 }), limits.parts)
    return Minima.judge(lows, limits.arrivals)._tag === "rising"
  })

const reading = 2000

/** One object of the program that is made anew whenever its size changes; sizes in megabytes. */
export const oneObject = (seconds: number, sizeAt: (second: number) => number): Observation => {
  const more: Array<Message & { readonly t: number }> = [
    { type: "stack", id: 0, frames: [place("append", "/app/log.ts", 3), place("serve", "/app/main.ts", 9)], t: 0 }
  ]
  let ordinal = 0
  for (let t = reading; t <= 1000 * seconds; t += reading) {
    const size = sizeAt(t / 1000)
    const anew = ordinal === 0 || size !== sizeAt((t - reading) / 1000)
    more.push({
      type: "samples",
      t,
      born: anew ? [[ordinal + 1, 0, size * mb]] : [],
      died: anew && ordinal > 0 ? [ordinal] : [],
      pauseMs: 5
    })
    if (anew) ordinal++
  }
  return observe(seconds, {}, {
    more,
    tick: (t) => ({ floors: t % reading === 0 ? [{ t, bytes: 2e7 + mb * sizeAt(t / 1000), forced: true }] : [] })
  })
}

/** Whether an object that gets larger is found in some 30 s, of which each second reading sees work under way beside it. */
export const largeObject = (): boolean =>
  LargeObjectGrowth.check(oneObject(32, (second) => 1 + second / 5 + (second % 4 === 0 ? 4 : 0)))._tag === "Warn"

/** Whether a leak of one object a second is found beside four a second that live for 22 to 38 s of 120 s. */
export const besideLongWork = (): boolean => {
  const frames = (name: string): ReadonlyArray<Place> => [place(name, "/app/work.ts", 3)]
  const lives: Array<Life> = []
  for (let i = 0; i < 5 * 120; i++) {
    const born = 200 * i + 1
    lives.push([born, i % 5 === 0 ? Infinity : born + 22_000 + 16_000 * ((i * 7919) % 101) / 101])
  }
  const kept = (t: number) => lives.filter(([born, died]) => born <= t && died > t).length
  const observation = observe(120, {}, {
    more: readings(120, [{ frames: frames("work"), lives }]),
    tick: (t) => ({
      floors: t % reading === 0 ? [{ t, bytes: 2e7 + 32_768 * kept(t), forced: true }] : [],
      fibers: { started: t / 100, ended: t / 100, abandoned: 0, live: 0, tenured: 0 }
    })
  })
  return SurvivorGrowth.check(observation)._tag === "Warn"
}
