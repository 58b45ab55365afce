/** The number of old things over time: how far it fell, and when it was emptied. */
import { buckets } from "./Lifetimes.ts"
import { limits } from "./limits.ts"

/** Changes of the level, and departures, in equal steps of a window. */
export interface Level {
  readonly changes: Float64Array
  readonly departed: Float64Array
}

/** As long as the longest bucket of a record of lifetimes: shorter steps would show nothing. */
export const steps = buckets / 2

const highest = (changes: Float64Array): number => {
  let now = 0
  return changes.reduce((most, change) => Math.max(most, now += change), 0)
}

/** The largest share by which the level fell since a step, where it was not just beginning to grow. */
export const largestFall = ({ changes }: Level, fewest: number, since: number): number => {
  const least = Math.max(fewest, limits.few * highest(changes))
  let now = 0
  let peak = 0
  let fall = 0
  changes.forEach((change, i) => {
    now += change
    if (i < since) return
    peak = Math.max(peak, now)
    if (peak >= least) fall = Math.max(fall, 1 - now / peak)
  })
  return fall
}

/** The steps at which this share departed at once. */
export const emptyings = ({ changes, departed }: Level, share: number): ReadonlyArray<number> => {
  const least = limits.few * highest(changes)
  const found: Array<number> = []
  let now = 0
  changes.forEach((change, i) => {
    if (departed[i]! >= Math.max(limits.arrivals * limits.most, share * now) && now > least) found.push(i)
    now += change
  })
  return found
}

/** Whether the time since the last emptying is short beside the longest time between two: the next may be about to come. */
export const mayBeEmptiedAgain = (at: ReadonlyArray<number>): boolean => {
  const longest = at.reduce((most, step, i) => Math.max(most, step - (at[i - 1] ?? 0)), 0)
  return at.length > 0 && steps - at.at(-1)! < limits.period * longest
}
