/** The arithmetic of a comparison: medians, and how sure one may be of their ratio. */

/** An estimate and the interval that holds the true value in 95 of 100 runs. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

const resamples = 2000

/** The median; of an even number of values, the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value that a tenth of the values are below. */
export const firstDecile = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)]!

/**
 * The percentile bootstrap of a median (Efron 1979), with a generator of its own seed: the same values give the same interval.
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

/** Mulberry32 by Tommy Ettinger: 32 bits of state are plenty for resampling. */
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
 * Whether a value that should be at most `goal` is: `passed` only when the whole interval is, `missed` only when none of it is.
 */
export const judge = (interval: Interval, goal: number): "passed" | "missed" | "undecided" =>
  interval.high <= goal ? "passed" : interval.low > goal ? "missed" : "undecided"
