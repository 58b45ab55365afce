/**
 * Does a number rise of which only the sum is known: open sockets, bytes of buffers?
 *
 * **Details**
 *
 * What is there at one moment says little: work that is under way comes and goes. What is always there shows in the lowest of a stretch
 * of time. These lows must rise step by step, as fast at the end as before, and by more than chance there too. A sum that only wanders
 * has steps of both signs, and one that comes to rest rises less and less.
 */
import type { Point } from "./TimeSeries.ts"
import { drift, slopePerSecond } from "./Trend.ts"

/**
 * What is said of a number:
 *
 * - `rising`: its lows rise by more than chance (once in a thousand), and go on to;
 * - `slowing`: they do, less and less; `unsure`: they may (once in a hundred);
 * - `steady`: they do not, or have come to rest.
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

/** Lows without which their steps mean nothing. */
const fewest = 5

/** Standard deviations of the steps, and of those of the late half alone: once in forty. */
const certainZ = 3.09
const suspiciousZ = 2.326
const lastZ = 2

/** By how much of what it was before the rise must go on, and below which it has come to rest. */
const goesOnAt = 0.7
const atRest = 0.3

/**
 * Judges lows in the order of time; growth below `smallest` is none.
 *
 * **Example**
 *
 * ```ts
 * import * as Lows from "./Minima.ts"
 *
 * const every = (value: (second: number) => number) =>
 *   Array.from({ length: 40 }, (_, second) => ({ t: 1000 * second, value: value(second) }))
 * const busy = every((second) => 20 + second % 5)
 * const leak = every((second) => 20 + second % 5 + 2 * second)
 *
 * const window = { start: 0, end: 40_000 }
 * console.log(Lows.judge(Lows.inParts(busy, window, 10), 10)._tag) // steady
 * console.log(Lows.judge(Lows.inParts(leak, window, 10), 10)._tag) // rising
 * ```
 */
export const judge = (lows: ReadonlyArray<Point>, smallest: number): Rise => {
  const grown = (lows.at(-1)?.value ?? 0) - (lows[0]?.value ?? 0)
  const perSecond = slopePerSecond(lows)
  const half = lows.length >> 1
  const early = slopePerSecond(lows.slice(0, half + 1))
  const last = slopePerSecond(lows.slice(half))
  const z = drift(stepsOf(lows))
  const enough = lows.length >= fewest && perSecond > 0 && grown >= smallest
  const goesOn = last >= goesOnAt * early && drift(stepsOf(lows.slice(half))) >= lastZ
  const _tag = !enough || z < suspiciousZ || last < atRest * early
    ? "steady"
    : !goesOn
    ? "slowing"
    : z < certainZ
    ? "unsure"
    : "rising"
  return { _tag, lows, grown, perSecond, z }
}

/**
 * How fast a number would have had to rise at the least to be called rising, a second, amid the noise that these lows have; `Infinity`
 * where they are too few.
 */
export const detectable = (lows: ReadonlyArray<Point>): number => {
  const steps = stepsOf(lows)
  if (lows.length < fewest) return Infinity
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length
  const variance = steps.reduce((sum, step) => sum + (step - mean) ** 2, 0) / (steps.length - 1)
  return 1000 * certainZ * Math.sqrt(variance / steps.length)
}

/** In the unit of the number for each millisecond, from each low to the next. */
const stepsOf = (lows: ReadonlyArray<Point>): ReadonlyArray<number> =>
  lows.slice(1).map(({ t, value }, i) => (value - lows[i]!.value) / (t - lows[i]!.t))

/** The lowest of each stretch of time, at its beginning; the moments at which stretches begin are given, in order. */
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

/** The lowest of each of so many equal parts of a window. */
export const inParts = (
  points: ReadonlyArray<Point>,
  { end, start }: { readonly start: number; readonly end: number },
  parts: number
): ReadonlyArray<Point> =>
  between(points, Array.from({ length: parts }, (_, i) => start + i * (end - start) / parts), end)

/**
 * What a number has grown by that grows in rarer and larger steps, as the table of a collection does that doubles when it is full: in the
 * late half of a window by more than `smallest`, and by half as much again, or more, as in the quarter before, and since then it has
 * hardly ever fallen. Such a number has hardly any steps, and {@link judge} calls it steady.
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
  const rises = grown >= smallest && middle - first >= smallest / 4 && grown >= again * (middle - first)
  return rises && largestFall(points.filter(({ t }) => t >= lows[0]!.t)) <= hardly * grown
    ? { lows, grown, perSecond: grown / (end - start) * 2000, z: 0 }
    : undefined
}

/** What doubles grows twice as much in twice the time, what fills up less and less. */
const again = 1.5

/** By what part of what it grew it may have fallen: noise. */
const hardly = 0.25

const largestFall = (points: ReadonlyArray<Point>): number => {
  let highest = -Infinity
  let fall = 0
  for (const { value } of points) {
    highest = Math.max(highest, value)
    fall = Math.max(fall, highest - value)
  }
  return fall
}
