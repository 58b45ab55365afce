/**
 * Decides when the next reading may be taken, so that all readings together cost at most a share of the time.
 *
 * A reading is a major collection. In a busy program the time after it costs more than the collection itself: V8 drops optimized code
 * and compiles it again. So the cost of a reading is its own duration and its aftermath: the processor time that fibers took after it,
 * minus the time that the same number of fibers took before. The aftermath delays nothing in a mostly idle program and is not counted
 * there.
 */

/** The work of the program since its start. */
interface Usage {
  /** Milliseconds. */
  readonly t: number
  /** Milliseconds of processor time, including V8's threads. */
  readonly cpuMs: number
  /** The number of fibers that have started. */
  readonly started: number
}

export interface ReadingBudget {
  /** Records the usage since the last call; called at each tick. */
  readonly observe: (usage: Usage) => void
  /** Whether the cost of the last reading is within the budget, so that the next one may be taken. */
  readonly isDue: (t: number) => boolean
  /** Records a reading that took `tookMs` milliseconds. */
  readonly taken: (t: number, tookMs: number) => void
  /** The share of a core that the program has used recently. */
  readonly busy: () => number
}

export const limits = {
  /** Milliseconds after a reading in which code is compiled again. After that a saturated server is as fast as before (measured). */
  aftermathMs: 3000,
  /** The least number of fibers in a slice of time for an estimate of the time per fiber within a few percent. */
  fibers: 100,
  /** Milliseconds after the aftermath in which the time per fiber is measured again: it falls while a program warms up. */
  baselineMs: 4500,
  /** The weight of a new slice in the moving average of the used share of a core. */
  weight: 0.2,
  /** The used share of a core above which the next reading waits for the aftermath and the baseline. */
  busy: 0.5
} as const

/** A budget of `share` of the time for readings that are at least `leastMs` apart. A share of 0 means no limit but `leastMs`. */
export const makeReadingBudget = (leastMs: number, share: number, start: number): ReadingBudget => {
  let last: Usage | undefined
  /** Processor time and fibers outside the aftermath of readings, since the last reading or the start. */
  let calm = { cpuMs: 0, fibers: 0 }
  /** Processor time per fiber before the last reading, in milliseconds. */
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
