/** What is counted of the old things of one site in a window, and how much of it may be chance. */
import type { Life } from "./Lifetimes.ts"
import { limits } from "./limits.ts"
import * as Sojourn from "./Sojourn.ts"
import { net } from "./Window.ts"
import type { Flow, Options, Window } from "./Window.ts"

export interface OldThings {
  /** The window without its beginning, before its late half; and the two halves of that. */
  readonly early: Flow
  readonly third: Flow
  readonly last: Flow
  readonly late: Flow
  /** How many there are at the end. */
  readonly old: number
  /** Net arrivals a second in the late half. */
  readonly perSecond: number
  /** The largest share by which their number ever fell. */
  readonly fall: number
  /** Whether so much went at once, once or twice, that nobody knows yet how often it does. */
  readonly emptied: boolean
  /** When more than half of it last went at once, in milliseconds: from then on it began anew. */
  readonly emptiedAt: number | undefined
  /** The largest share of the late arrivals that came within a fifth of the late half. */
  readonly atOnce: number
  /** What arrived in the last fifth of the late half. */
  readonly newest: number
  /** The largest share of the late departures that happened at one moment. */
  readonly lump: number
  /** By how much the fewest that were there in a quarter grew, when they grew in every quarter; else 0. */
  readonly left: number
  /** The variance of the departures, in units of that of chance, at least 1; likewise the next two. */
  readonly gone: number
  /** That of the late arrivals. */
  readonly waves: number
  /** That of the late arrivals from one moment to the next: of what comes in groups, each counts but once. */
  readonly clumps: number
  /** That of arrivals from one part to the next, before the last quarter. */
  readonly noise: number
  /** By how much less there was to do in the late half than before, and in the last quarter than in the third: 1, or less. */
  readonly pace: { readonly late: number; readonly last: number }
  readonly sojourn: Sojourn.Sojourn | undefined
}

interface MutableFlow {
  arrivals: number
  departures: number
}

const emptyFlow = (): MutableFlow => ({ arrivals: 0, departures: 0 })

/** Steps of the window by which the number of old things is known. */
const steps = 200

export const count = (all: ReadonlyArray<Life>, window: Window, age: number, options: Options): OldThings => {
  const { end, start } = window
  const from = start + Math.max(age, limits.warmUp * (end - start))
  const cut = end - (end - from) / 2
  const half = end - (end - from) / 4
  const [early, third, last] = [emptyFlow(), emptyFlow(), emptyFlow()]
  const part = (t: number): MutableFlow | undefined =>
    t <= from ? undefined : t <= cut ? early : t <= half ? third : t <= end ? last : undefined
  const changes = new Float64Array(steps + 2)
  const departed = new Float64Array(steps + 2)
  const step = (t: number) => Math.min(steps + 1, Math.max(0, Math.ceil(steps * (t - start) / (end - start))))
  const tenths = new Float64Array(10)
  // How uneven the traffic is shows before the last quarter, whose drop would look like it. Births of fibers are known by the second:
  // in parts of less than two they would look uneven, too.
  const parts = new Float64Array(Math.min(9, Math.max(4, Math.floor((half - from) / 2000))))
  const arrivedAt = new Map<number, number>()
  const goneAt = new Map<number, number>()
  let newest = 0
  let old = 0
  for (const { born, count, died } of all) {
    const joins = born + age
    if (died <= joins || joins > end) continue
    const arrived = part(joins)
    if (arrived !== undefined) arrived.arrivals += count
    if (joins > from && joins <= half) parts[indexOf(joins, from, half, parts.length)]! += count
    if (joins > end - (end - cut) / 5) newest += count
    if (joins > cut) {
      tenths[indexOf(joins, cut, end, 10)]! += count
      arrivedAt.set(joins, (arrivedAt.get(joins) ?? 0) + count)
    }
    changes[step(joins)]! += count
    if (died > end) {
      old += count
      continue
    }
    const flow = part(died)
    if (flow !== undefined) flow.departures += count
    if (died > from) goneAt.set(died, (goneAt.get(died) ?? 0) + count)
    departed[step(died)]! += count
    changes[step(died)]! -= count
  }
  const arrived = countsIn(arrivedAt, cut, end, options.resolution)
  const late = { arrivals: third.arrivals + last.arrivals, departures: third.departures + last.departures }
  // What arrives in a part was born an age before.
  const done = (a: number, b: number) => options.work?.(a - age, b - age) ?? 1
  const falls = emptyings(changes, departed, limits.emptied)
  const anew = emptyings(changes, departed, limits.fall).at(-1)
  return {
    early,
    third,
    last,
    late,
    old,
    perSecond: end > cut ? net(late) / ((end - cut) / 1000) : 0,
    fall: largestFall(changes, options.fewest ?? limits.arrivals, step(from + (end - from) * limits.beginning)),
    emptied: isEmptied(falls),
    emptiedAt: anew === undefined ? undefined : start + anew * (end - start) / steps,
    atOnce: mostAtOnce(tenths),
    newest,
    lump: late.departures === 0 ? 0 : Math.max(...departed.subarray(step(cut) + 1)) / late.departures,
    left: risingLows(changes, step(from)),
    gone: dispersion(countsIn(goneAt, from, end)),
    waves: dispersion(arrived),
    noise: unevenness(parts),
    clumps: clumpsOf(arrived, age),
    pace: { late: paceOf(done(from, cut), done(cut, end)), last: paceOf(done(cut, half), done(half, end)) },
    sojourn: options.youngest === undefined ? undefined : Sojourn.of(all, window, options.youngest)
  }
}

/** In which of so many equal parts of the time a moment lies. */
const indexOf = (t: number, from: number, to: number, parts: number): number =>
  Math.min(parts - 1, Math.floor(parts * (t - from) / (to - from)))

/** Work later for work before, where it became less; so little that it may be chance is no measure. */
const paceOf = (before: number, after: number): number =>
  before < fewestWorks ? 1 : Math.min(1, Math.max(0.1, after / before))

const fewestWorks = 20

/** The largest share in two neighbours. */
const mostAtOnce = (parts: Float64Array): number => {
  let all = 0
  let most = 0
  parts.forEach((part, i) => {
    all += part
    most = Math.max(most, part + (parts[i + 1] ?? 0))
  })
  return all === 0 ? 0 : most / all
}

/**
 * The variance of counts in units of that of chance, from the differences of neighbours (von Neumann 1941), so that a trend is none of
 * it; at least 1.
 */
const unevenness = (counts: Float64Array): number => {
  let squares = 0
  let sum = counts[0]!
  for (let i = 1; i < counts.length; i++) {
    squares += (counts[i]! - counts[i - 1]!) ** 2
    sum += counts[i]!
  }
  return sum === 0 ? 1 : Math.max(1, squares / (2 * (counts.length - 1)) / (sum / counts.length))
}

/**
 * Of a sum, whose parts have no age, nobody knows what came and went between two looks, so nothing is said of how it came. Of few moments
 * nothing is sure, and how uneven they seem to be is taken as it is.
 */
const clumpsOf = (arrived: Float64Array, age: number): number =>
  age === 0 ? 1 : arrived.length < fewestMoments ? unevenness(arrived) : surelyUneven(arrived)

/** How uneven they are, where that is more than two standard deviations above chance, else 1. */
const surelyUneven = (counts: Float64Array): number => {
  const found = unevenness(counts)
  return found >= 1 + 2 * Math.sqrt(3 / (counts.length - 1)) ? found : 1
}

/**
 * How many at each moment. Moments are known by the smallest difference of two, or by the resolution, a whole multiple of that: in finer
 * ones, what happens evenly would look uneven.
 */
const countsIn = (at: ReadonlyMap<number, number>, from: number, to: number, resolution = 0): Float64Array => {
  const gap = Math.max(smallestGap(at), (to - from) / mostMoments)
  const moment = gap * Math.max(1, Math.ceil(resolution / gap))
  const counts = new Float64Array(Math.max(2, Math.floor((to - from) / moment)))
  for (const [t, count] of at) {
    // Not stretched over the time, or two moments would meet in one; what is left at the end is part of a moment.
    const index = Math.ceil((t - from) / moment) - 1
    if (index >= 0 && index < counts.length) counts[index]! += count
  }
  return counts
}

const mostMoments = 600

const fewestMoments = 10

const smallestGap = (at: ReadonlyMap<number, number>): number => {
  const times = [...at.keys()].sort((a, b) => a - b)
  return times.reduce((least, t, i) => (i === 0 ? least : Math.min(least, t - times[i - 1]!)), Infinity)
}

/** Variance over mean, which is 1 for counts of independent events (the index of dispersion), at least 1. */
const dispersion = (counts: Float64Array): number => {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1)
  return mean > 0 ? Math.max(1, variance / mean) : 1
}

/** By how much the lowest level of the last quarter lies above that of the second, when every quarter's lies above the one before. */
const risingLows = (changes: Float64Array, from: number): number => {
  const lows = [Infinity, Infinity, Infinity, Infinity]
  let now = 0
  const length = changes.length - 1 - from
  changes.forEach((change, i) => {
    now += change
    if (i < from || i > from + length) return
    const quarter = Math.min(3, Math.floor(4 * (i - from) / length))
    lows[quarter] = Math.min(lows[quarter]!, now)
  })
  return lows.every((low, i) => i === 0 || low > lows[i - 1]!) ? lows[3]! - lows[1]! : 0
}

/** The largest share by which it fell, from where it was more than a small part of the highest it ever was. */
const largestFall = (changes: Float64Array, fewest: number, from: number): number => {
  let now = 0
  let highest = 0
  for (const change of changes) highest = Math.max(highest, now += change)
  const least = Math.max(fewest, limits.small * highest)
  now = 0
  let peak = 0
  let fall = 0
  changes.forEach((change, i) => {
    now += change
    if (i < from) return
    peak = Math.max(peak, now)
    if (peak >= least) fall = Math.max(fall, 1 - now / peak)
  })
  return fall
}

/**
 * The steps at which this share went at once, where that was once or twice: what goes three times or more shows how often it does. Not
 * where there was but a small part of what there is at the most.
 */
const emptyings = (changes: Float64Array, departed: Float64Array, share: number): ReadonlyArray<number> => {
  const falls: Array<number> = []
  let now = 0
  let highest = 0
  for (const change of changes) highest = Math.max(highest, now += change)
  now = 0
  changes.forEach((change, i) => {
    if (departed[i]! >= Math.max(limits.arrivals / 2, share * now) && now > limits.small * highest) {
      falls.push(i)
    }
    now += change
  })
  return falls.length > 2 ? [] : falls
}

/** Whether growth since then has not lasted clearly longer than it took until then: what empties it may just be about to come again. */
const isEmptied = (falls: ReadonlyArray<number>): boolean => {
  const longest = falls.reduce((most, at, i) => Math.max(most, at - (falls[i - 1] ?? 0)), 0)
  return falls.length > 0 && steps - falls.at(-1)! < limits.patience * longest
}
