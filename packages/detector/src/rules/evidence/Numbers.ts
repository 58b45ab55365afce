/** Numbers of which only the sum is known, and that should not rise: handles, gauges, series of a metric. */
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import * as Minima from "../../statistics/Minima.ts"
import type { Point } from "../../statistics/TimeSeries.ts"
import * as Turnover from "../../statistics/Turnover.ts"
import { lateOf } from "../../statistics/Window.ts"
import { doubtOf, trafficRises } from "./Traffic.ts"

/** The classification of a number. */
export interface NumberVerdict {
  readonly _tag: "growing" | "unclear" | "steady"
  /** The row of the table that decided. */
  readonly row: string
  /** The evidence against growth. */
  readonly why: string
  readonly perSecond: number
  readonly z: number
  /** The course of the number, as a sentence. */
  readonly text: string
}

/**
 * Judges a number by its rises and falls, and, where these hide behind work that comes and goes, by its minima.
 *
 * `unexcused`: rising traffic is no reason for doubt, because what is there once stays.
 */
export const judgeNumber = (
  observation: Observation,
  points: ReadonlyArray<Point>,
  options?: { readonly unexcused?: boolean }
): NumberVerdict => {
  const { window } = observation
  const moreTraffic = options?.unexcused !== true && trafficRises(observation)
  const turnover = Turnover.judgeGauge(points, window)
  const { arrivals, departures } = turnover.late
  const moved = {
    row: turnover.row,
    perSecond: turnover.perSecond,
    z: turnover.z,
    text: `in the late half of the run the number rose by ${arrivals} and fell by ${departures}`
  }
  if (turnover._tag === "growing") {
    return moreTraffic
      ? { _tag: "unclear", why: "traffic rises as well", ...moved }
      : { _tag: "growing", why: "", ...moved }
  }
  const late = lateOf(window)
  const parts = Math.min(
    limits.parts,
    Math.floor(points.filter(({ t }) => t >= late.start).length / limits.readings)
  )
  const rise = Minima.judge(Minima.inParts(points, late, parts), limits.arrivals)
  if (rise._tag === "steady") return { _tag: turnover._tag, why: turnover.why, ...moved }
  const { lows, perSecond, z } = rise
  const text = `in ${lows.length} stretches of the late two thirds, the least number rose from ${
    rounded(lows[0]!.value)
  } to ${rounded(lows.at(-1)!.value)}`
  const doubt = doubtOf(rise, moreTraffic)
  return doubt === undefined
    ? { _tag: "growing", row: "minima", why: "", perSecond, z, text }
    : { _tag: "unclear", row: "minima", why: turnover._tag === "unclear" ? turnover.why : doubt, perSecond, z, text }
}

const rounded = (value: number): number => Math.round(10 * value) / 10
