/**
 * Rises of a number of which only the sum is known: open sockets, bytes of buffers.
 *
 * **Details**
 *
 * The value at one moment says little, because work under way comes and goes. The minimum of a stretch of time shows what is always
 * there. These minima must rise step by step, as fast at the end as before, and by more than chance there too. A sum that wanders has
 * steps of both signs; a sum that comes to rest has steps that shrink.
 */
import { limits } from "./limits.ts"
import type { Point } from "./TimeSeries.ts"
import { drift, slopePerSecond } from "./Trend.ts"

/**
 * The course of a number:
 *
 * - `rising`: its minima rise by more than chance, and continue to;
 * - `slowing`: they rise less and less; `unsure`: they may rise;
 * - `steady`: they do not rise, or have come to rest.
 */
export interface Rise {
  readonly _tag: "rising" | "slowing" | "unsure" | "steady"
  readonly lows: ReadonlyArray<Point>
  /** From the first low to the last. */
  readonly grown: number
  readonly perSecond: number
  /** Standard deviations of the steps. */
  readonly z: number
}

/**
 * Judges minima in the order of time. Growth below `smallest` counts as none.
 *
 * **Example**
 *
 * ```ts
 * import * as Minima from "./Minima.ts"
 *
 * const every = (value: (second: number) => number) =>
 *   Array.from({ length: 40 }, (_, second) => ({ t: 1000 * second, value: value(second) }))
 * const busy = every((second) => 20 + second % 5)
 * const leak = every((second) => 20 + second % 5 + 2 * second)
 *
 * const window = { start: 0, end: 40_000 }
 * console.log(Minima.judge(Minima.inParts(busy, window, 10), 10)._tag) // steady
 * console.log(Minima.judge(Minima.inParts(leak, window, 10), 10)._tag) // rising
 * ```
 */
export const judge = (lows: ReadonlyArray<Point>, smallest: number): Rise => {
  const grown = (lows.at(-1)?.value ?? 0) - (lows[0]?.value ?? 0)
  const perSecond = slopePerSecond(lows)
  const half = lows.length >> 1
  const early = slopePerSecond(lows.slice(0, half + 1))
  const last = slopePerSecond(lows.slice(half))
  const z = drift(stepsOf(lows))
  const enough = lows.length >= limits.points && perSecond > 0 && grown >= smallest
  const goesOn = last >= (1 - limits.many) * early && drift(stepsOf(lows.slice(half))) >= limits.suspected
  const _tag = !enough || z < limits.suspected || last < limits.many * early
    ? "steady"
    : !goesOn
    ? "slowing"
    : z < limits.sure
    ? "unsure"
    : "rising"
  return { _tag, lows, grown, perSecond, z }
}

/** The slowest rise, a second, that would be called rising amid the noise of these minima; `Infinity` where they are too few. */
export const detectable = (lows: ReadonlyArray<Point>): number => {
  const steps = stepsOf(lows)
  if (lows.length < limits.points) return Infinity
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length
  const variance = steps.reduce((sum, step) => sum + (step - mean) ** 2, 0) / (steps.length - 1)
  return 1000 * limits.sure * Math.sqrt(variance / steps.length)
}

/** Steps between neighbours, a millisecond. */
const stepsOf = (lows: ReadonlyArray<Point>): ReadonlyArray<number> =>
  lows.slice(1).map(({ t, value }, i) => (value - lows[i]!.value) / (t - lows[i]!.t))

/** The minimum of each stretch of time, at its beginning. `moments` are the beginnings, in order. */
export const between = (
  points: ReadonlyArray<Point>,
  moments: ReadonlyArray<number>,
  end: number
): ReadonlyArray<Point> =>
  moments.flatMap((t, i) => {
    const next = moments[i + 1] ?? end
    const value = points.reduce(
      (low, point) => (point.t >= t && point.t < next ? Math.min(low, point.value) : low),
      Infinity
    )
    return value < Infinity ? [{ t, value }] : []
  })

/** The minimum of each equal part of a window. */
export const inParts = (
  points: ReadonlyArray<Point>,
  { end, start }: { readonly start: number; readonly end: number },
  parts: number
): ReadonlyArray<Point> =>
  between(points, Array.from({ length: parts }, (_, i) => start + i * (end - start) / parts), end)

/**
 * Growth in rarer and larger steps, as of the table of a collection that doubles when it is full: in the late half of a window by more than
 * `smallest`, and by at least one and a half times as much as in the quarter before, with hardly a fall. This number has hardly any
 * steps, and {@link judge} calls it steady.
 */
export const doubling = (
  points: ReadonlyArray<Point>,
  { end, start }: { readonly start: number; readonly end: number },
  smallest: number
): Omit<Rise, "_tag"> | undefined => {
  const lows = [1 / 4, 1 / 2, 1].map((share) => {
    const t = start + share * (end - start)
    return { t, value: points.findLast((point) => point.t <= t)?.value ?? 0 }
  })
  const [first, middle, last] = lows.map(({ value }) => value) as [number, number, number]
  const grown = last - middle
  const rises = grown >= smallest && middle - first >= limits.many * smallest &&
    grown >= (1 + limits.most) * (middle - first)
  return rises && largestFall(points.filter(({ t }) => t >= lows[0]!.t)) <= limits.many * grown
    ? { lows, grown, perSecond: grown / (end - start) * 2000, z: 0 }
    : undefined
}

const largestFall = (points: ReadonlyArray<Point>): number => {
  let highest = -Infinity
  let fall = 0
  for (const { value } of points) {
    highest = Math.max(highest, value)
    fall = Math.max(fall, highest - value)
  }
  return fall
}
