/**
 * Chooses the number of bytes between two allocation samples: small enough to see small leaks, large enough for sampling to be cheap.
 *
 * A sample costs 4 to 7 microseconds at any interval: V8 walks the stack, and each garbage collection handles the sample. So the
 * number of samples per second is kept near {@link limits} `target`, which costs about one percent of a core. V8 forgets all samples
 * when the interval changes, and the statistics start over. So the interval changes rarely: at once when sampling costs too much, and
 * after a waiting time that doubles with each change when there are too few samples.
 */

/** The usage since the last call. */
interface Usage {
  /** Milliseconds. */
  readonly t: number
  /** Bytes allocated. */
  readonly allocated: number
  /** The used share of a core. */
  readonly busy: number
}

export interface SamplingInterval {
  /** The interval to change to, in bytes; `undefined` to stay. */
  readonly next: (usage: Usage) => number | undefined
  /** Records that the interval was changed for another reason. */
  readonly changed: (bytes: number) => void
}

const KiB = 1024

export const limits = {
  /** The longest interval, in bytes. A saturated server pays 2.6 % of its processor time at 512 KiB, almost nothing here (bench:service). */
  largest: 2048 * KiB,
  /** The first interval, in bytes. Most programs keep it, so that the release of objects from the start can be observed. */
  smallest: 2 * KiB,
  /** The target, in samples per second. */
  target: 2000,
  /** The rate above which the interval is lengthened, in samples per second. */
  most: 6000,
  /** The factor for these rates in a busy program, whose stacks are deep: a sample takes about 25 microseconds instead of 5. */
  whenBusy: 1 / 8,
  /** The used share of a core above which a program is busy. */
  busy: 0.5,
  /** The rate below which the interval may be shortened, in samples per second. */
  least: 250,
  /** The least factor by which a shorter interval must gain samples, because the change forgets all earlier samples. */
  gain: 8,
  /** The rate that is accepted during start-up, in samples per second: a program allocates more then than later. */
  startUp: { most: 25_000, ms: 2500 },
  /** The most objects in a reading. Sending one takes about 2 microseconds, so this many take as long as a small collection. */
  living: 65_536,
  /** The least length of a slice of time for a reliable rate, in milliseconds. */
  slice: 900,
  /** Milliseconds with too few samples before the first change to a shorter interval. */
  patience: 2000
} as const

/** An interval that adapts and never goes below `smallest` bytes. */
export const makeSamplingInterval = (smallest: number = limits.smallest): SamplingInterval => {
  let bytes = smallest
  let patience: number = limits.patience
  let last: number | undefined
  let began = 0
  let changedAt = 0
  let allocated = 0
  /** The start of the current time with too few samples, and the highest rate since then, in bytes per second. */
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
      // A short slice counts when it alone already exceeds the limit for a whole second.
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
      // The longer the samples so far have been collected, the longer the change that forgets them has to wait.
      const worth = (scarce.since - changedAt) / 2
      if (usage.t - scarce.since < Math.max(patience, worth) - limits.slice) return undefined
      const wanted = scarce.most / (limits.target * scale)
      if (clamp(wanted) * limits.gain > bytes) return undefined
      patience *= 2
      return change(wanted)
    }
  }
}
