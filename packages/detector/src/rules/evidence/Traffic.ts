/** The work of a program: growth that follows more work is not a leak. */
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import type { Rise } from "../../statistics/Minima.ts"
import { mannKendall, senSlope } from "../../statistics/Trend.ts"
import { lengthOf } from "../../statistics/Window.ts"

/**
 * Whether fibers are started faster and faster in the late half of the window: by more than a quarter from its beginning to its end, and
 * by more than chance.
 */
export const trafficRises = (observation: Observation): boolean => {
  const { window } = observation
  const started = observation.series("fibers.started").filter(({ t }) => t >= window.start + lengthOf(window) / 2)
  const rates: Array<number> = []
  const times: Array<number> = []
  for (let i = 1; i < started.length; i++) {
    const seconds = (started[i]!.t - started[i - 1]!.t) / 1000
    if (seconds <= 0) continue
    rates.push((started[i]!.value - started[i - 1]!.value) / seconds)
    times.push(started[i]!.t / 1000)
  }
  if (rates.length < limits.points) return false
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  return mannKendall(rates) >= limits.suspected
    && senSlope(rates, times) * (times.at(-1)! - times[0]!) > limits.many * mean
}

/**
 * The number of fibers that ended between two moments of the recording, in milliseconds: a measure of the work that was done.
 *
 * Started fibers are no measure: a collection that is filling up starts fewer and fewer, and would excuse itself.
 */
export const workOf = (observation: Observation): (from: number, to: number) => number => {
  const ended = observation.series("fibers.ended")
  const at = (t: number): number => {
    const after = ended.findIndex((point) => point.t >= t)
    if (after < 0) return ended.at(-1)?.value ?? 0
    const to = ended[after]!
    const from = ended[after - 1] ?? { t: 0, value: 0 }
    return to.t === from.t ? to.value : from.value + (to.value - from.value) * (t - from.t) / (to.t - from.t)
  }
  return (from, to) => at(to) - at(from)
}

/** The reason for which a rise is not called a leak, if there is one. */
export const doubtOf = ({ _tag }: Rise, trafficRises: boolean): string | undefined =>
  _tag === "slowing"
    ? "growth slows down"
    : trafficRises
    ? "traffic rises as well"
    : _tag === "unsure"
    ? "there are too few readings so far"
    : undefined

/** The reason for which growth by doubling is not called a leak. */
export const doubtOfDoubling = "it grows by doubling, and the last step does not show whether there will be another"
