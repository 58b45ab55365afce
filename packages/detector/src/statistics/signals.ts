/** The measurements of the old things of one site in a window: a few numbers, each with the uncertainty that belongs to it. */
import { countsIn, dispersion, surelyUneven, unevenness } from "./Dispersion.ts"
import { emptyings, largestFall, mayBeEmptiedAgain, steps } from "./Level.ts"
import type { Lifetime } from "./Lifetimes.ts"
import { limits } from "./limits.ts"
import * as Sojourn from "./Sojourn.ts"
import { lengthOf, net, zOf } from "./Window.ts"
import type { Flow, Options, Window } from "./Window.ts"

/**
 * Signals of one site.
 *
 * **Details**
 *
 * A window without its beginning has an early and a late half, and the late half has a third and a last quarter. Every `z` is a number of
 * standard deviations after dispersion.
 */
export interface Signals {
  readonly early: Flow
  readonly third: Flow
  readonly last: Flow
  readonly late: Flow
  /** The number of old things at the end. */
  readonly old: number
  /** Net arrivals a second in the late half. */
  readonly perSecond: number
  /** The least number of late arrivals for growth, and for a suspicion. */
  readonly fewest: number
  readonly suspicious: number
  /** Net late arrivals, before dispersion. */
  readonly rawZ: number
  /** Net late arrivals, departures counted by their batches, and arrivals too where there are departures. */
  readonly growthZ: number
  /** Net late arrivals, everything counted by its batches. */
  readonly batchZ: number
  /** Net arrivals in the last quarter. */
  readonly lastZ: number
  /** By how much growth slows down; departures in batches, and everything in batches. */
  readonly slowingZ: number
  readonly slowingInBatchesZ: number
  /** By how much the last fifth of the late half falls short of the rest. */
  readonly stoppingZ: number
  /** The largest share of the late arrivals within one fifth of the late half. */
  readonly burst: number
  /** The largest share by which the number of old things fell. */
  readonly fall: number
  /** Many departed at once, and may do so again soon. */
  readonly mayBeEmptied: boolean
  /** The moment, in milliseconds, at which most departed at once for the last time. */
  readonly emptiedAt: number | undefined
  /** The largest share of the late departures at one moment. */
  readonly batch: number
  /** Waiting times grow by as much as a backlog of this size makes them grow. */
  readonly waitsLonger: boolean
  readonly sojourn: Sojourn.Sojourn | undefined
}

interface MutableFlow {
  arrivals: number
  departures: number
}

export const signalsOf = (
  all: ReadonlyArray<Lifetime>,
  window: Window,
  age: number,
  options: Options
): Signals => {
  const { end, start } = window
  const from = start + Math.max(age, limits.few * lengthOf(window))
  const cut = end - (end - from) / 2
  const half = end - (end - from) / 4
  const emptyFlow = (): MutableFlow => ({ arrivals: 0, departures: 0 })
  const [early, third, last] = [emptyFlow(), emptyFlow(), emptyFlow()]
  const part = (t: number): MutableFlow | undefined =>
    t <= from ? undefined : t <= cut ? early : t <= half ? third : t <= end ? last : undefined
  const level = { changes: new Float64Array(steps + 2), departed: new Float64Array(steps + 2) }
  const step = (t: number) => Math.min(steps + 1, Math.max(0, Math.ceil(steps * (t - start) / (end - start))))
  // Two neighbours are as long as the newest part, wherever a burst begins.
  const tenths = new Float64Array(2 / limits.newest)
  // Traffic is measured before the last quarter, whose own drop would count as unevenness.
  const parts = new Float64Array(limits.points)
  const arrivedAt = new Map<number, number>()
  const departedAt = new Map<number, number>()
  let newest = 0
  let old = 0
  for (const { born, count, died } of all) {
    const joins = born + age
    if (died <= joins || joins > end) continue
    const arrived = part(joins)
    if (arrived !== undefined) arrived.arrivals += count
    if (joins > from && joins <= half) parts[indexOf(joins, from, half, parts.length)]! += count
    if (joins > end - (end - cut) * limits.newest) newest += count
    if (joins > cut) {
      tenths[indexOf(joins, cut, end, tenths.length)]! += count
      arrivedAt.set(joins, (arrivedAt.get(joins) ?? 0) + count)
    }
    level.changes[step(joins)]! += count
    if (died > end) {
      old += count
      continue
    }
    const flow = part(died)
    if (flow !== undefined) flow.departures += count
    if (died > from) departedAt.set(died, (departedAt.get(died) ?? 0) + count)
    level.departed[step(died)]! += count
    level.changes[step(died)]! -= count
  }
  const late = { arrivals: third.arrivals + last.arrivals, departures: third.departures + last.departures }
  const arrived = countsIn(arrivedAt, cut, end, options.resolution)
  const departures = dispersion(countsIn(departedAt, from, end))
  // Changes of a sum have no individual times, so nothing is known of their batches.
  const batches = age === 0 ? 1 : surelyUneven(arrived, limits.suspected)
  const traffic = unevenness(parts)
  // Things that arrive in a part of the window were born an age before.
  const done = (a: number, b: number) => options.work?.(a - age, b - age) ?? 1
  const work = {
    late: workRatio(done(from, cut), done(cut, end)),
    last: workRatio(done(cut, half), done(half, end))
  }
  const fewest = options.fewest ?? limits.arrivals
  const slowing = (factor: number) =>
    Math.max(
      moreDepart(early, late) / Math.sqrt(departures),
      slower(early, late, work.late, departures) / Math.sqrt(factor),
      // Quarters are short, and traffic in waves can make anything of them.
      slower(third, last, work.last, departures) / Math.sqrt(traffic * factor) * limits.suspected / limits.sure
    )
  const sojourn = options.youngest === undefined ? undefined : Sojourn.of(all, window, options.youngest)
  const rawZ = zOf(late)
  const anew = emptyings(level, limits.most).at(-1)
  return {
    early,
    third,
    last,
    late,
    old,
    perSecond: end > cut ? net(late) / ((end - cut) / 1000) : 0,
    fewest,
    suspicious: options.suspicious ?? fewest * limits.most,
    rawZ,
    growthZ: zOf(late, late.departures === 0 ? 1 : batches, departures),
    batchZ: rawZ / Math.sqrt(batches),
    lastZ: zOf(last),
    slowingZ: slowing(1),
    slowingInBatchesZ: slowing(departures),
    stoppingZ: stopping(late.arrivals * limits.newest * work.last, newest, traffic),
    burst: late.arrivals === 0 ? 0 : largestPair(tenths) / late.arrivals,
    fall: largestFall(level, fewest, step(from + (end - from) * limits.many)),
    mayBeEmptied: mayBeEmptiedAgain(emptyings(level, limits.many)),
    emptiedAt: anew === undefined ? undefined : start + anew * (end - start) / steps,
    batch: late.departures === 0 ? 0 : Math.max(...level.departed.subarray(step(cut) + 1)) / late.departures,
    waitsLonger: waitsLonger(early, late, sojourn),
    sojourn
  }
}

/** In which of so many equal parts of the time a moment lies. */
const indexOf = (t: number, from: number, to: number, parts: number): number =>
  Math.min(parts - 1, Math.floor(parts * (t - from) / (to - from)))

/** Ratio of later to earlier work, at most 1: less work leaks less. Work too small to compare gives 1. */
const workRatio = (before: number, after: number): number =>
  before < limits.arrivals ? 1 : Math.min(1, Math.max(limits.few, after / before))

const largestPair = (parts: Float64Array): number =>
  parts.reduce((most, part, i) => Math.max(most, part + (parts[i + 1] ?? 0)), 0)

/**
 * Sojourn times get longer, by at least half and at most one and a half times the share that stays, and as fast late as on the whole. By
 * Little's law a backlog that grows by a share `s` of its arrivals makes each wait longer by `s`.
 */
const waitsLonger = (early: Flow, late: Flow, sojourn: Sojourn.Sojourn | undefined): boolean => {
  const stays = (net(early) + net(late)) / Math.max(1, early.arrivals + late.arrivals)
  return sojourn !== undefined && sojourn.z >= Sojourn.longerZ
    && sojourn.slope >= limits.most * stays && sojourn.slope <= (1 + limits.most) * stays
    && sojourn.slopeLate >= (1 - limits.few) * sojourn.slope
    && net(late) >= limits.few * late.arrivals && net(early) >= 0
}

/** Standard deviations by which the share of departures rose: a collection that is about to be full loses more and more of its arrivals. */
const moreDepart = (before: Flow, after: Flow): number => {
  if (before.arrivals === 0 || after.departures < limits.many * after.arrivals) return 0
  const share = Math.min(1, (before.departures + after.departures) / (before.arrivals + after.arrivals))
  const deviation = Math.sqrt(share * (1 / before.arrivals + 1 / after.arrivals))
  return deviation === 0 ? 0 : (after.departures / after.arrivals - before.departures / before.arrivals) / deviation
}

/** Standard deviations by which growth fell short of what it was before, for as much work, where it fell by many. */
const slower = (before: Flow, after: Flow, work: number, departures: number): number => {
  const variance = (flow: Flow) => flow.arrivals + departures * flow.departures
  return net(after) >= limits.most * work * net(before)
    ? 0
    : (work * net(before) - net(after)) / Math.sqrt(Math.max(1, work * variance(before) + variance(after)))
}

/** Standard deviations by which the newest arrivals fall short of the expected number, where most are missing. */
const stopping = (expected: number, newest: number, traffic: number): number =>
  newest >= limits.most * expected ? 0 : (expected - newest) / Math.sqrt(traffic * expected)
