/** Numbers of which only the sum is known, and that should not rise: handles, gauges, series of a metric. */
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import * as Lows from "../../statistics/Minima.ts"
import type { Point } from "../../statistics/TimeSeries.ts"
import * as Turnover from "../../statistics/Turnover.ts"
import { lateOf } from "../../statistics/Window.ts"
import { doubtOf, trafficRises } from "./Traffic.ts"

/** What is said of a number. */
export interface NumberVerdict {
  readonly _tag: "growing" | "unclear" | "steady"
  /** What speaks against growth. */
  readonly why: string
  readonly perSecond: number
  readonly z: number
  /** What it did, in a sentence. */
  readonly text: string
}

/** Parts of the late two thirds of a window of which the lowest counts, and readings in each. */
const mostParts = 40
const readingsEach = 3

/** Judges a number: by what it rises and falls by, and where that hides behind work that comes and goes, by its lows. */
export const judgeNumber = (
  observation: Observation,
  points: ReadonlyArray<Point>,
  options?: {
    /** More traffic is no excuse: what there is once is there for ever. */
    readonly unexcused?: boolean
  }
): NumberVerdict => {
  const { window } = observation
  const moreTraffic = options?.unexcused !== true && trafficRises(observation)
  const turnover = Turnover.judgeGauge(points, window)
  const { arrivals, departures } = turnover.late
  const moved = {
    perSecond: turnover.perSecond,
    z: turnover.z,
    text: `in the late half of the window it rose by ${arrivals} and fell by ${departures}`
  }
  if (turnover._tag === "growing") {
    return moreTraffic
      ? { _tag: "unclear", why: "traffic rises as well", ...moved }
      : { _tag: "growing", why: "", ...moved }
  }
  const late = lateOf(window)
  const parts = Math.min(mostParts, Math.floor(points.filter(({ t }) => t >= late.start).length / readingsEach))
  const rise = Lows.judge(Lows.inParts(points, late, parts), limits.arrivals)
  if (rise._tag === "steady") return { _tag: turnover._tag, why: turnover.why, ...moved }
  const { lows, perSecond, z } = rise
  const text = `of each of ${lows.length} stretches of the late two thirds, the lowest rose from ${
    rounded(lows[0]!.value)
  } to ${rounded(lows.at(-1)!.value)}`
  const doubt = doubtOf(rise, moreTraffic)
  return doubt === undefined
    ? { _tag: "growing", why: "", perSecond, z, text }
    : { _tag: "unclear", why: turnover._tag === "unclear" ? turnover.why : doubt, perSecond, z, text }
}

const rounded = (value: number): number => Math.round(10 * value) / 10
