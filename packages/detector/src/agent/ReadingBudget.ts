/**
 * When the next reading may be taken, so that all readings together cost no more than a share of the time.
 *
 * A reading is a major collection, and what follows it costs a busy program more than the collection itself: V8 throws away optimized code
 * and compiles it again. So the price of a reading is its own time and its aftermath: the processor time that fibers took after it, beyond
 * what as many fibers took before. Where a program is mostly idle its aftermath delays nobody, and is not counted.
 */

/** What the program has done since it began. */
interface Usage {
  /** Milliseconds. */
  readonly t: number
  /** Milliseconds of processor time, those of V8's threads included. */
  readonly cpuMs: number
  /** Fibers. */
  readonly started: number
}

export interface ReadingBudget {
  /** Takes in what has happened since the last call; at each tick. */
  readonly observe: (usage: Usage) => void
  /** Whether the readings so far are paid for. */
  readonly isDue: (t: number) => boolean
  /** A reading was taken, and took so many milliseconds itself. */
  readonly taken: (t: number, tookMs: number) => void
  /** The share of a core that the program has used lately. */
  readonly busy: () => number
}

export const limits = {
  /** Milliseconds after a reading in which code is compiled again; after that a saturated server is as fast as before (measured). */
  aftermathMs: 3000,
  /** Fibers in a slice of time, from which on their price is known to some per cent. */
  fibers: 100,
  /** Milliseconds after that in which the price of a fiber is learned again: it falls while a program warms up. */
  baselineMs: 4500,
  /** The weight of a new slice in the share of a core that the program uses. */
  weight: 0.2,
  /** The share of a core from which on the aftermath is waited for before the next reading. */
  busy: 0.5
} as const

/** `share` of the time for readings, which are at least `leastMs` apart; 0: as often as that. */
export const makeReadingBudget = (leastMs: number, share: number, start: number): ReadingBudget => {
  let last: Usage | undefined
  /** Processor time and fibers since the last reading was no longer felt; before the first one, since the beginning. */
  let calm = { cpuMs: 0, fibers: 0 }
  /** Processor time for a fiber, right before the last reading. */
  let price: number | undefined
  let busy = 0
  let reading = { t: start, tookMs: 0 }
  let isFirst = true
  let aftermath = 0
  return {
    observe: (usage) => {
      const before = last
      last = usage
      if (before === undefined || usage.t <= before.t) return
      const cpuMs = usage.cpuMs - before.cpuMs
      const fibers = usage.started - before.started
      const slice = Math.min(1, cpuMs / (usage.t - before.t))
      busy += (slice - busy) * limits.weight
      if (fibers < limits.fibers) return
      if (isFirst || usage.t - reading.t > limits.aftermathMs) {
        calm = { cpuMs: calm.cpuMs + cpuMs, fibers: calm.fibers + fibers }
      } else if (price !== undefined) aftermath += cpuMs - price * fibers
    },
    isDue: (t) => {
      const since = t - reading.t
      const isBusy = busy > limits.busy
      const cost = reading.tookMs + (isBusy ? Math.max(0, aftermath) : 0)
      const waits = !isFirst && share > 0 && isBusy ? limits.aftermathMs + limits.baselineMs : 0
      return since >= Math.max(leastMs, waits, share > 0 ? cost / share : 0)
    },
    taken: (t, tookMs) => {
      reading = { t, tookMs }
      if (calm.fibers > 0) price = calm.cpuMs / calm.fibers
      calm = { cpuMs: 0, fibers: 0 }
      aftermath = 0
      isFirst = false
    },
    busy: () => busy
  }
}
