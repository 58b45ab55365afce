/**
 * How uneven counts are, in units of chance: 1 for independent events (the index of dispersion).
 *
 * A test that takes events for independent is too sure of itself where they come in batches or in waves. So each variance is multiplied by
 * the dispersion of what was counted.
 */

import { buckets } from "./Lifetimes.ts"
import { limits } from "./limits.ts"

/** Variance over mean, at least 1. */
export const dispersion = (counts: Float64Array): number => {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1)
  return mean > 0 ? Math.max(1, variance / mean) : 1
}

/** The same from the differences of neighbours (von Neumann 1941), which a trend does not raise; at least 1. */
export const unevenness = (counts: Float64Array): number => {
  let squares = 0
  let sum = counts[0]!
  for (let i = 1; i < counts.length; i++) {
    squares += (counts[i]! - counts[i - 1]!) ** 2
    sum += counts[i]!
  }
  return sum === 0 ? 1 : Math.max(1, squares / (2 * (counts.length - 1)) / (sum / counts.length))
}

/** The unevenness where it exceeds chance by so many standard deviations, else 1. Few counts are taken as they are: their standard error is √(3 / n). */
export const surelyUneven = (counts: Float64Array, deviations: number): number => {
  const found = unevenness(counts)
  return counts.length < limits.neighbours || found >= 1 + deviations * Math.sqrt(3 / (counts.length - 1)) ? found : 1
}

/**
 * Counts of events for each moment of a stretch of time. The length of a moment is the smallest difference between two events, or the
 * resolution at which they are known, rounded up to a multiple of it: in shorter moments, regular events would look uneven.
 */
export const countsIn = (at: ReadonlyMap<number, number>, from: number, to: number, resolution = 0): Float64Array => {
  const gap = Math.max(smallestGap(at), (to - from) / buckets)
  const moment = gap * Math.max(1, Math.ceil(resolution / gap))
  const counts = new Float64Array(Math.max(2, Math.floor((to - from) / moment)))
  for (const [t, count] of at) {
    // Moments are not stretched over the time, or two of them would meet in one; an incomplete last moment is left out.
    const index = Math.ceil((t - from) / moment) - 1
    if (index >= 0 && index < counts.length) counts[index]! += count
  }
  return counts
}

const smallestGap = (at: ReadonlyMap<number, number>): number => {
  const times = [...at.keys()].sort((a, b) => a - b)
  return times.reduce((least, t, i) => (i === 0 ? least : Math.min(least, t - times[i - 1]!)), Infinity)
}
