/** The speed at which the heap floor rises: the heap size after each major collection. */
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import type { Point } from "../../statistics/TimeSeries.ts"
import { median, mostPerSecond, rises, slopePerSecond } from "../../statistics/Trend.ts"
import { lateOf } from "../../statistics/Window.ts"
import type { Window } from "../../statistics/Window.ts"

/** Bytes a second in the late two thirds of the run and in its last third, and whether the rise is more than noise. */
export const floorTrend = (
  observation: Observation
): { readonly rising: boolean; readonly perSecond: number; readonly lastPerSecond: number } => {
  const points = observation.series("heap.floor")
  const late = points.slice(Math.ceil(points.length * limits.startUp))
  return {
    rising: rises(points.map(({ value }) => value)),
    perSecond: slopePerSecond(late),
    lastPerSecond: slopePerSecond(late.slice(late.length >> 1))
  }
}

/** Growth of the heap floor in the late two thirds of a window, in bytes a second. */
export interface FloorGrowth {
  readonly likely: number
  /** The upper end of the interval of two standard deviations. */
  readonly most: number
}

/**
 * Sen's slope of the heap floor in the late two thirds of a window, with the upper end of its interval (two standard deviations, by ranks); `undefined` where
 * there are too few readings.
 *
 * One large step down is left out: V8 throws away code that did not run for a while, which says nothing of what the program retains.
 */
export const floorGrowth = (observation: Observation, window: Window): FloorGrowth | undefined => {
  const late = lateOf(window)
  const points = observation.series("heap.floor").filter(({ t }) => t >= late.start && t <= late.end)
  if (points.length <= limits.points) return undefined
  const steady = withoutLargestFall(points)
  return { likely: slopePerSecond(steady), most: mostPerSecond(steady) }
}

/** A step is an outlier where it certainly deviates from the median step. */
const withoutLargestFall = (points: ReadonlyArray<Point>): ReadonlyArray<Point> => {
  const steps = points.slice(1).map(({ value }, i) => value - points[i]!.value)
  const middle = median(steps)
  const deviation = 1.4826 * median(steps.map((step) => Math.abs(step - middle)))
  const largest = Math.min(...steps)
  if (middle - largest < limits.certain * deviation) return points
  const at = steps.indexOf(largest)
  return points.map(({ t, value }, i) => ({ t, value: i > at ? value - largest + middle : value }))
}
