/** Whether the program gets more to do: what grows with the work is no leak. */
import type { Observation } from "../../observation/Observation.ts"
import type { Rise } from "../../statistics/Minima.ts"
import { mannKendall, senSlope } from "../../statistics/Trend.ts"
import { lengthOf } from "../../statistics/Window.ts"

/** Standard deviations: uneven traffic rises by a quarter more often than not, by one chance in twenty it does so as surely as this. */
const risesZ = 1.645

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
  if (rates.length < 4) return false
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  return mannKendall(rates) >= risesZ && senSlope(rates, times) * (times.at(-1)! - times[0]!) > 0.25 * mean
}

/**
 * How many fibers ended between two moments of the recording, in milliseconds: a measure of the work that was done.
 *
 * **Details**
 *
 * Not how many were started: what fills up starts fewer and fewer as it gets full, and would excuse itself by that.
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

/** What speaks against the rise of a number, if anything does. */
export const doubtOf = ({ _tag }: Rise, trafficRises: boolean): string | undefined =>
  _tag === "slowing"
    ? "it grows more and more slowly"
    : trafficRises
    ? "traffic rises as well"
    : _tag === "unsure"
    ? "too few readings so far"
    : undefined

/** What speaks against the growth of what doubles. */
export const doubtOfDoubling = "it grows by doubling, which tells little of whether it goes on"
