/**
 * How many bytes lie between two allocation samples: few enough to see small leaks, so many that sampling costs next to nothing.
 *
 * A sample costs 4 to 7 microseconds (V8 walks the stack, and each garbage collection is told of it), whatever its interval, so what
 * is kept is the number of samples a second: at {@link limits} `target` it is about one percent of a core. V8 forgets all samples when
 * the interval is changed, and the statistic starts anew. So it changes when it has to: at once when sampling costs too much, and
 * after a patience that doubles each time when it sees too little.
 */

/** What the program did since it was asked last. */
interface Usage {
  /** Milliseconds. */
  readonly t: number
  /** Bytes allocated. */
  readonly allocated: number
  /** The share of a core that the program uses. */
  readonly busy: number
}

export interface SamplingInterval {
  /** The interval to change to, in bytes; `undefined` to stay. */
  readonly next: (usage: Usage) => number | undefined
  /** The interval was changed for another reason. */
  readonly changed: (bytes: number) => void
}

const KiB = 1024

export const limits = {
  /** Bytes: at 512 KiB a saturated server still pays 2.6 % of its processor time, at this nothing to speak of (bench:service). */
  largest: 2048 * KiB,
  /** Bytes: where it starts and, with most programs, stays, so that what was there from the beginning is seen to go. */
  smallest: 2 * KiB,
  /** Samples a second. */
  target: 2000,
  most: 6000,
  /** Of a busy program: its stacks are deep, and a sample takes some 25 microseconds instead of 5. */
  whenBusy: 1 / 8,
  /** The share of a core from which on a program is busy. */
  busy: 0.5,
  least: 250,
  /** To see all that there is from now on is worth to forget what was seen only when it is so many times as much. */
  gain: 8,
  /** Samples a second in the first milliseconds of a program, which allocates more then than ever after. */
  startUp: { most: 25_000, ms: 2500 },
  /** Objects in a reading: telling one takes about two microseconds, so this many take as long as a small collection. */
  living: 65_536,
  /** Milliseconds: one slice of time says little. */
  slice: 900,
  /** Milliseconds of too few samples before the first change to a shorter interval. */
  patience: 2000
} as const

/** An interval that adapts, from `smallest` bytes on. */
export const makeSamplingInterval = (smallest: number = limits.smallest): SamplingInterval => {
  let bytes = smallest
  let patience: number = limits.patience
  let last: number | undefined
  let began = 0
  let changedAt = 0
  let allocated = 0
  /** Since when there were too few samples, and the most bytes a second since then. */
  let scarce: { readonly since: number; most: number } | undefined

  const clamp = (to: number): number => Math.min(limits.largest, Math.max(smallest, to))

  const change = (to: number): number | undefined => {
    scarce = undefined
    const next = clamp(2 ** Math.ceil(Math.log2(Math.max(1, to))))
    if (next === bytes) return undefined
    bytes = next
    changedAt = last ?? 0
    return next
  }

  return {
    changed: (to) => {
      bytes = to
      scarce = undefined
      changedAt = last ?? 0
    },
    next: (usage) => {
      if (last === undefined) {
        began = last = usage.t
        return undefined
      }
      allocated += usage.allocated
      const slice = usage.t - last
      const scale = usage.busy > limits.busy ? limits.whenBusy : 1
      const most = scale * bytes * (usage.t - began < limits.startUp.ms ? limits.startUp.most : limits.most)
      // What is too much for a second is too much for a part of it.
      if (slice < limits.slice && allocated <= most) return undefined
      const rate = allocated / Math.max(1, slice) * 1000
      const since = last
      last = usage.t
      allocated = 0
      if (rate > most) return change(rate / (limits.target * scale))
      if (rate / bytes >= limits.least * scale || bytes === smallest) {
        scarce = undefined
        return undefined
      }
      scarce ??= { since, most: 0 }
      scarce.most = Math.max(scarce.most, rate)
      // What was seen so far is worth the time that it took.
      const worth = (scarce.since - changedAt) / 2
      if (usage.t - scarce.since < Math.max(patience, worth) - limits.slice) return undefined
      const wanted = scarce.most / (limits.target * scale)
      if (clamp(wanted) * limits.gain > bytes) return undefined
      patience *= 2
      return change(wanted)
    }
  }
}
