/** Reproducible random numbers: each test names its seeds. */

export interface Random {
  /** Uniform in [0, 1). */
  readonly next: () => number
  /** An integer in [from, to]. */
  readonly integer: (from: number, to: number) => number
  readonly between: (from: number, to: number) => number
  /** Standard normal. */
  readonly normal: () => number
  /** Exponential: the time to the next event of a Poisson process, or a lifetime with a constant death rate. */
  readonly exponential: (mean: number) => number
  /** Poisson: the number of events with a given mean. */
  readonly poisson: (mean: number) => number
  readonly pick: <A>(values: ReadonlyArray<A>) => A
}

/** Mulberry32. */
export const random = (seed: number): Random => {
  let state = Math.imul(seed + 1, 0x9e3779b1)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return {
    next,
    integer: (from, to) => from + Math.floor(next() * (to - from + 1)),
    between: (from, to) => from + next() * (to - from),
    normal,
    exponential: (mean) => -mean * Math.log(1 - next()),
    poisson: (mean) => {
      if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
      let count = 0
      for (let product = next(); product > Math.exp(-mean); product *= next()) count++
      return count
    },
    pick: (values) => values[Math.floor(next() * values.length)]!
  }
}

export const seeds = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, seed) => seed)
