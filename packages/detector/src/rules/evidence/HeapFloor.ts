/** How fast the heap floor rises, and how fast it may be rising at the most. */
import type { Observation } from "../../observation/Observation.ts"
import type { Point } from "../../statistics/TimeSeries.ts"
import { median, mostPerSecond, rises, slopePerSecond } from "../../statistics/Trend.ts"
import type { Window } from "../../statistics/Window.ts"
import { lateOf } from "../../statistics/Window.ts"

/**
 * How fast the heap floor rises in the late two thirds, in bytes a second, how fast in the last third, and whether the rise is more than
 * noise.
 */
export const floorTrend = (
  observation: Observation
): { readonly rising: boolean; readonly perSecond: number; readonly lastPerSecond: number } => {
  const points = observation.series("heap.floor")
  const late = points.slice(Math.ceil(points.length / 3))
  return {
    rising: rises(points.map(({ value }) => value)),
    perSecond: slopePerSecond(late),
    lastPerSecond: slopePerSecond(late.slice(late.length >> 1))
  }
}

/** Readings of the floor without which nothing can be said of its speed. */
const fewest = 6

/** Of the growth of the heap floor in the late two thirds of a window, in bytes a second. */
export interface FloorGrowth {
  readonly likely: number
  readonly most: number
}

/**
 * Bytes a second by which the heap floor rises in the late two thirds of a window, and by which it may rise at the most; `undefined` when
 * it was read too rarely to tell.
 *
 * **Details**
 *
 * Sen's slope, and the upper end of its interval (95 %, by ranks). One large step down is left out: V8 throws away code that did not run
 * for a while, and that says nothing of what the program keeps.
 */
export const floorGrowth = (observation: Observation, window: Window): FloorGrowth | undefined => {
  const late = lateOf(window)
  const points = observation.series("heap.floor").filter(({ t }) => t >= late.start && t <= late.end)
  if (points.length < fewest) return undefined
  const steady = withoutLargestFall(points)
  return { likely: slopePerSecond(steady), most: mostPerSecond(steady) }
}

/** So many times what steps differ by as a rule, and a step is none of theirs. */
const outlier = 6

const withoutLargestFall = (points: ReadonlyArray<Point>): ReadonlyArray<Point> => {
  const steps = points.slice(1).map(({ value }, i) => value - points[i]!.value)
  const middle = median(steps)
  const deviation = 1.4826 * median(steps.map((step) => Math.abs(step - middle)))
  const largest = Math.min(...steps)
  if (middle - largest < outlier * deviation) return points
  const at = steps.indexOf(largest)
  return points.map(({ t, value }, i) => ({ t, value: i > at ? value - largest + middle : value }))
}
