/** The arithmetic of a comparison: medians, ratios, and their intervals. */

/** An estimate and its 95 % interval. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

const resamples = 2000

/** The median. For an even number of values it is the mean of the two middle ones. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The first decile: a tenth of the values are below it. */
export const firstDecile = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)]!

/**
 * The percentile bootstrap of a median (Efron 1979). The generator has a fixed seed, so the same values give the same interval.
 */
export const bootstrap = (values: ReadonlyArray<number>): Interval => {
  const random = mulberry32(20_260_101)
  const medians = Array.from(
    { length: resamples },
    () => median(values.map(() => values[Math.floor(random() * values.length)]!))
  ).sort((a, b) => a - b)
  return {
    value: median(values),
    low: medians[Math.floor(resamples * 0.025)]!,
    high: medians[Math.ceil(resamples * 0.975) - 1]!
  }
}

/** Mulberry32 by Tommy Ettinger. Its 32 bits of state are enough for resampling. */
const mulberry32 = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/**
 * Judges a value that should be at most `goal`: `passed` if the whole interval is at most the goal, `missed` if all of it is above.
 */
export const judge = (interval: Interval, goal: number): "passed" | "missed" | "undecided" =>
  interval.high <= goal ? "passed" : interval.low > goal ? "missed" : "undecided"

/** The 97.5 % quantiles of Student's t, by degrees of freedom from 1 on. */
const student = [
  12.71,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
  2.12,
  2.11,
  2.101,
  2.093,
  2.086
] as const

/** The exact quantile is above that of the normal distribution by about this number divided by the degrees of freedom. */
const t975 = (free: number): number => student[free - 1] ?? 1.96 + 2.4 / free

/**
 * The ratio of each program to the geometric mean of the baselines. Each program ran once in every round. A baseline is compared with
 * the other baselines.
 *
 * **Details**
 *
 * The logarithm of a time is modelled as the sum of an effect of its round, an effect of its program, and noise: the additive two-way
 * layout. The noise of all programs together gives the intervals (Student's t with `(rounds - 1) * (programs - 1)` degrees of freedom),
 * so a few rounds are enough for meaningful intervals.
 */
export const ratiosOf = (
  values: Readonly<Record<string, ReadonlyArray<number>>>,
  baselines: ReadonlyArray<string>
): Readonly<Record<string, Interval>> => {
  const names = Object.keys(values)
  const logs = new Map(names.map((name) => [name, values[name]!.map(Math.log)]))
  const rounds = logs.get(names[0]!)!.length
  const byRound = Array.from({ length: rounds }, (_, round) => mean(names.map((name) => logs.get(name)![round]!)))
  const byName = new Map(names.map((name) => [name, mean(logs.get(name)!)]))
  const all = mean(byRound)
  const residuals = names.flatMap((name) =>
    logs.get(name)!.map((value, round) => value - byRound[round]! - byName.get(name)! + all)
  )
  const free = (rounds - 1) * (names.length - 1)
  const variance = residuals.reduce((sum, residual) => sum + residual ** 2, 0) / free
  const ratio = (name: string): Interval => {
    const others = baselines.filter((baseline) => baseline !== name)
    const difference = byName.get(name)! - mean(others.map((other) => byName.get(other)!))
    const half = free > 0 ? t975(free) * Math.sqrt(variance / rounds * (1 + 1 / others.length)) : Infinity
    return { value: Math.exp(difference), low: Math.exp(difference - half), high: Math.exp(difference + half) }
  }
  return Object.fromEntries(names.map((name) => [name, ratio(name)]))
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length
