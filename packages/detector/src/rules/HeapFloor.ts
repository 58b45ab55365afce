/**
 * How fast the heap floor rises, and how fast it may be rising at the most.
 *
 * @since 0.1.0
 */
import type { Observation } from "../Observation.ts"
import { median, rises, slopePerSecond } from "../Trend.ts"
import { lengthOf } from "../Turnover.ts"
import type { Window } from "../Turnover.ts"

/**
 * How fast the heap floor rises in the late two thirds, in bytes a second, how fast in the last third, and whether the rise is more than
 * noise.
 *
 * @since 0.1.0
 * @category statistics
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

/** Steps of the floor without which their median means nothing. */
const fewest = 5

/**
 * Bytes a second by which the heap floor may rise at the most in the late two thirds of a window; `Infinity` when it was read too
 * rarely to tell.
 *
 * **Details**
 *
 * The median of its steps, which one large step (V8 throwing away code) does not move, and two standard errors of that median by
 * their median absolute deviation.
 *
 * @since 0.1.0
 * @category statistics
 */
export const mostFloorGrowth = (observation: Observation, window: Window): number => {
  const from = window.start + lengthOf(window) / 3
  const points = observation.series("heap.floor").filter(({ t }) => t >= from && t <= window.end)
  const steps: Array<number> = []
  for (let i = 1; i < points.length; i++) {
    const seconds = (points[i]!.t - points[i - 1]!.t) / 1000
    // Readings in a row say nothing of speed.
    if (seconds > 0.5) steps.push((points[i]!.value - points[i - 1]!.value) / seconds)
  }
  if (steps.length < fewest) return Infinity
  const middle = median(steps)
  const deviation = 1.4826 * median(steps.map((step) => Math.abs(step - middle)))
  return middle + 2 * 1.2533 * deviation / Math.sqrt(steps.length)
}
