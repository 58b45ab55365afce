/**
 * Arrivals against departures of old things: the one statistic behind every verdict, for fibers and for memory alike.
 *
 * **Details**
 *
 * Call *old* what was born before `t - age` and is alive at `t`. Old things form a queue: they arrive when they reach that age, they
 * depart when they die. Where work is bounded, departures keep up with arrivals, or there are neither; where something leaks,
 * arrivals go on and nothing departs. Daemons forked at the start, warm-up, bursts, sawtooth, ramps and long but finite work all
 * end with nothing old arriving any more. This is the weak generational hypothesis (generation counts as in V. Šor's thesis,
 * "Statistical Approach for Memory Leak Detection in Java Applications", Tartu 2014) with the deaths added.
 *
 * Under the hypothesis "as many depart as arrive" the net of a window is a difference of two counts with about the same mean, so
 * net / √(arrivals + departures) is a standard normal variable (Przyborowski & Wilenski 1940, the test for two Poisson counts).
 *
 * @since 0.1.0
 */
import type { Life } from "./Lives.ts"
import * as Sojourn from "./Sojourn.ts"
import type { Point } from "./TimeSeries.ts"

/**
 * Old things that arrived and departed in a part of the window.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flow {
  readonly arrivals: number
  readonly departures: number
}

/**
 * What the statistic says of one site.
 *
 * **Details**
 *
 * - `growing`: arrivals outnumber departures by more than chance, as a rule, and still at the end;
 * - `unclear`: it looks like that, and something speaks against it: `why` says what;
 * - `steady`: departures keep up, or nothing old arrives.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turnover {
  readonly _tag: "growing" | "unclear" | "steady"
  readonly why: string
  /** More arrive than go, and what goes makes it unclear: a heap floor that rises with it would decide. */
  readonly behind: boolean
  /** It grows as a queue does: what goes had to wait ever longer. */
  readonly queue: boolean
  /** How long what goes had been there, where that was asked for. */
  readonly sojourn: Sojourn.Sojourn | undefined
  /** Milliseconds: how old is old here. */
  readonly age: number
  /** The late half of the window. */
  readonly late: Flow
  /** Its last half. */
  readonly last: Flow
  /** Old things now. */
  readonly old: number
  /** How far the number of old things ever fell below its highest, 0 to 1. */
  readonly fall: number
  /** Standard deviations between arrivals and departures. */
  readonly z: number
  /** Net arrivals a second in the late half. */
  readonly perSecond: number
}

/**
 * The limits of the statistic, each with its reason.
 *
 * @since 0.1.0
 * @category models
 */
export const limits = {
  /** Standard deviations: one false alarm in 740 looks at a site whose old things just come and go. */
  z: 3,
  /** A rule, not an accident: at least half of what gets old stays. */
  share: 0.5,
  /** Fewer arrivals than this can be told by nobody from a bounded thing that is a little larger. */
  arrivals: 10,
  /** From here on a suspicion is worth another look; a share of the fewest arrivals. */
  suspiciousZ: 2.2,
  suspiciousShare: 0.6,
  /** Where many depart, at least this share must stay, by more standard deviations: bursts of long work reach three. */
  behind: 0.25,
  behindZ: 4,
  /** Six sojourn times, each longer than the one before: once in 720, and z is 2.63. */
  sojournZ: 2.6,
  /** They must get longer by what stays, within this factor: half a group of departures more or less makes as much. */
  sojournFactor: 2,
  /** And as fast late as on the whole: a delay that is about to settle gets longer more slowly. */
  sojournGoesOn: 0.9,
  /** Growth that is this surely slower than before may be a container that fills: the price of a wrong "leak" is the higher one. */
  slowerZ: 2,
  /** So surely must the last fifth fall short: a lull is no end. */
  stopsZ: 2.5,
  /** This share of departures is more than the noise of a leak. */
  many: 0.2,
  /** What ever fell by more than half is emptied by somebody now and then. */
  fall: 0.5,
  /** Unless that was when there was but this share of what there is at the most: a queue that has just begun to grow. */
  small: 0.1,
  /** Nor in this first part of the time: a queue that has just begun to grow may be emptied in a moment. */
  beginning: 0.25,
  /** Of ten arrivals at any time, more than this share come within a fifth of the time once in 120 leaks; a burst has them all there. */
  atOnce: 2 / 3,
  /** Where this share of the departures is one event, their number is a sample of one. */
  lump: 0.8,
  lumpyShare: 0.15,
  /** The beginning of a window is start-up. */
  warmUp: 0.1
} as const

/**
 * The part of a recording that is judged, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  readonly start: number
  readonly end: number
}

/**
 * Milliseconds from the start of a window to its end.
 *
 * @since 0.1.0
 * @category statistics
 */
export const lengthOf = ({ end, start }: Window): number => end - start

/**
 * Judges one site over a window; `age` is how old is old, in milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import * as Lives from "@fiberscope/detector/Lives"
 * import * as Turnover from "@fiberscope/detector/Turnover"
 *
 * const leak = Lives.make()
 * const cache = Lives.make()
 * for (let second = 0; second < 30; second++) {
 *   leak.bear(second * 1000, 5)
 *   cache.bear(second * 1000, 5)
 *   if (second >= 10) cache.die((second - 10) * 1000, second * 1000, 5)
 * }
 * console.log(Turnover.judge(leak.all(), { start: 0, end: 30_000 }, 4000)._tag) // growing
 * console.log(Turnover.judge(cache.all(), { start: 0, end: 30_000 }, 4000)._tag) // steady
 * ```
 *
 * @since 0.1.0
 * @category statistics
 */
export const judge = (
  lives: Iterable<Life>,
  window: Window,
  age: number,
  options?: {
    /** The program had no more to do at the end than before. Then growth with departures is growth as well. */
    readonly steadyTraffic?: boolean | undefined
    /** Arrivals below which nothing is called growing. Default 10. */
    readonly fewest?: number | undefined
    /** Arrivals that are worth another look when none departs. Default six tenths of the fewest. */
    readonly suspicious?: number | undefined
    /** How much the program did between two moments, in any unit. Less work leaks less: that is no slowing down. */
    readonly work?: ((from: number, to: number) => number) | undefined
    /** Milliseconds: what goes younger than this tells nothing of how long things wait. Default: that is not looked at. */
    readonly youngest?: number | undefined
  }
): Turnover => {
  const { end, start } = window
  const all = [...lives]
  const from = start + Math.max(age, limits.warmUp * (end - start))
  const cut = end - (end - from) / 2
  const half = end - (end - from) / 4
  const early = emptyFlow()
  const third = emptyFlow()
  const last = emptyFlow()
  const part = (
    t: number
  ) => (t <= from ? undefined : t <= cut ? early : t <= half ? third : t <= end ? last : undefined)
  const steps = 200
  const stepMs = (end - start) / steps
  const changes = new Float64Array(steps + 2)
  const step = (t: number) => Math.min(steps + 1, Math.max(0, Math.ceil((t - start) / stepMs)))
  const tenths = new Float64Array(10)
  // How uneven the traffic is shows before the last quarter, whose drop would look like it. Births of fibers are known by the second:
  // in parts of less than two they would look uneven, too.
  const parts = new Float64Array(Math.min(9, Math.max(4, Math.floor((half - from) / 2000))))
  let newest = 0
  const arrivedAt = new Map<number, number>()
  const goneAt = new Map<number, number>()
  const departedAt = new Float64Array(steps + 2)
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
    if (died <= end) {
      const departed = part(died)
      if (died > from) goneAt.set(died, (goneAt.get(died) ?? 0) + count)
      if (departed !== undefined) departed.departures += count
      if (died > cut) departedAt[step(died)]! += count
      changes[step(died)]! -= count
    } else old += count
  }
  const sojourn = options?.youngest === undefined ? undefined : Sojourn.of(all, window, options.youngest)
  const late: Flow = { arrivals: third.arrivals + last.arrivals, departures: third.departures + last.departures }
  const z = zOf(late)
  const numbers = {
    age,
    late,
    last,
    old,
    sojourn,
    fall: largestFall(changes, options?.fewest ?? limits.arrivals, step(from + (end - from) * limits.beginning)),
    z,
    perSecond: end > cut ? net(late) / ((end - cut) / 1000) : 0
  }
  // What arrives in a part was born an age before.
  const done = (a: number, b: number) => options?.work?.(a - age, b - age) ?? 1
  const pace = {
    late: paceOf(done(from, cut), done(cut, end)),
    last: paceOf(done(cut, half), done(half, end))
  }
  const lump = late.departures === 0 ? 0 : Math.max(...departedAt) / late.departures
  const left = risingLows(changes, step(from)) / Math.sqrt(Math.max(1, late.arrivals + late.departures))
  const seen: Parts = {
    early,
    third,
    last,
    late,
    z,
    fall: numbers.fall,
    atOnce: mostAtOnce(tenths),
    newest,
    lump,
    left,
    waves: dispersion(arrivedAt, end - cut),
    gone: dispersion(goneAt, end - from),
    old,
    pace,
    noise: unevenness(parts),
    sojourn
  }
  return { ...numbers, ...decide(seen, options ?? {}) }
}

/** In which of so many equal parts of the time a moment lies. */
const indexOf = (t: number, from: number, to: number, parts: number): number =>
  Math.min(parts - 1, Math.floor(parts * (t - from) / (to - from)))

/**
 * The same for a number of which only the sum is known, such as open sockets: what it rises by arrives, what it falls by departs. Its
 * individuals have no age, so a window in which the number just rises, for whatever reason, looks like a leak.
 *
 * @since 0.1.0
 * @category statistics
 */
export const judgeGauge = (points: ReadonlyArray<Point>, window: Window): Turnover => {
  const lives: Array<Life> = []
  for (let i = 1; i < points.length; i++) {
    const { t, value } = points[i]!
    const rise = value - points[i - 1]!.value
    if (rise > 0) lives.push({ born: t, died: Infinity, count: rise })
    if (rise < 0) lives.push({ born: -Infinity, died: t, count: -rise })
  }
  return judge(lives, window, 0)
}

interface Parts {
  readonly early: Flow
  readonly third: Flow
  readonly last: Flow
  readonly late: Flow
  readonly z: number
  readonly fall: number
  readonly atOnce: number
  /** What arrived in the last fifth of the late half. */
  readonly newest: number
  /** The largest share of the late departures that happened at one moment. */
  readonly lump: number
  /** Standard deviations by which the fewest that were there in a quarter grew, while they grew in every quarter; else 0. */
  readonly left: number
  /** The variance of the departures in units of that of chance, at least 1. */
  readonly gone: number
  /** The variance of the late arrivals in units of that of chance, at least 1. */
  readonly waves: number
  /** The variance of arrivals from one part to the next, before the last quarter, in units of that of chance, at least 1. */
  readonly noise: number
  readonly sojourn: Sojourn.Sojourn | undefined
  readonly old: number
  readonly pace: { readonly late: number; readonly last: number }
}

const decide = (
  parts: Parts,
  options: {
    readonly steadyTraffic?: boolean | undefined
    readonly fewest?: number | undefined
    readonly suspicious?: number | undefined
  }
): Pick<Turnover, "_tag" | "why" | "behind" | "queue"> => {
  const { atOnce, early, fall, gone, last, late, left, lump, third, waves, z } = parts
  const steady = (why: string) => ({ _tag: "steady", why, behind: false, queue: false }) as const
  const unclear = (why: string, behind = false) => ({ _tag: "unclear", why, behind, queue: false }) as const
  const queue = waitsLonger(parts)
  const growing = (why: string) => ({ _tag: "growing", why, behind: false, queue }) as const
  const rule = net(late) >= limits.share * late.arrivals
  const fewest = options.fewest ?? limits.arrivals
  const few = fewest * limits.suspiciousShare
  const suspicious = options.suspicious ?? few
  const certain = net(late) / Math.sqrt(Math.max(1, late.arrivals + late.departures * gone))
  if (certain >= limits.z && rule && late.arrivals >= fewest && net(third) > 0 && net(last) > 0 && net(early) >= 0) {
    if (net(last) <= 0.1 * last.arrivals) {
      // Where nothing arrives any more it is full. Where as many go as come, the going may have come in one lump.
      return last.arrivals < few
        ? steady("it has come to rest")
        : unclear("it has just stopped growing")
    }
    if (net(last) >= limits.share * last.arrivals && zOf(last) >= limits.z / 2) {
      if (slowing(parts)) return unclear("fewer and fewer stay: it may be filling up")
      if (stops(parts)) return unclear("it may just have stopped growing")
      // It may lie across the middle of the late half, and so look like growth in both quarters.
      if (atOnce > limits.atOnce) return unclear("most of them came at once")
      if (fall > limits.fall) return unclear("something empties it now and then")
      return growing("old ones go on arriving and hardly any goes")
    }
  }
  if (options.steadyTraffic === true && late.arrivals >= fewest && !slowing(parts, parts.gone) && queue) {
    return growing("what goes had to wait ever longer")
  }
  // A queue whose consumer is too slow loses its oldest all the time, and grows all the same: what stays grows in both quarters, or,
  // where what goes goes in lumps, what is left after each of them.
  // Traffic comes in waves, of which many things make more than chance; how uneven the arrivals are tells by how much.
  const surely = net(late) / Math.sqrt(Math.max(1, late.arrivals * waves + late.departures * gone))
  const surelyLeft = left / Math.sqrt(waves)
  const behind = surely >= limits.z && late.arrivals >= fewest && net(late) >= limits.behind * late.arrivals
  const both = (least: number) => fall <= limits.fall && zOf(third) >= least && zOf(last) >= least
  // What is left is more in the last quarter than before, also when it has come to rest there.
  const more = last.arrivals >= few && surelyLeft >= limits.behindZ
  if (behind && !slowing(parts) && (both(1) || more)) {
    return options.steadyTraffic === true && surely >= limits.behindZ && (both(2) || more)
      ? growing("some go, and more arrive, though there is no more to do than before")
      : unclear("more arrive than go, but many do go", options.steadyTraffic === true)
  }
  if (z >= limits.z && rule && late.arrivals >= fewest && net(early) >= 0 && net(third) > 0 && net(last) > 0) {
    return unclear("growth slows down at the end")
  }
  const goesOn = net(early) >= 0 && net(third) > 0 && net(last) >= limits.behind * last.arrivals && last.arrivals >= few
  if (z >= limits.behindZ && late.arrivals >= fewest && net(late) >= limits.behind * late.arrivals && goesOn) {
    return unclear(
      "more arrive than go, but what goes, goes in lumps",
      options.steadyTraffic === true && !slowing(parts)
    )
  }
  const suspect = z >= Math.min(limits.suspiciousZ, Math.sqrt(suspicious)) && late.arrivals >= suspicious
  if (suspect && rule && net(last) > 0 && fall <= limits.fall) {
    return unclear("too few so far to tell growth from chance")
  }
  // Chunks of a long queue are let go one at a time: in between, and after, it says little how many went.
  const lumpy = lump >= limits.lump && late.departures >= fewest && net(early) > 0 && fall <= limits.fall
  if (lumpy && z >= 2 && net(late) >= limits.lumpyShare * late.arrivals) return unclear("what goes, goes in one lump")
  return steady(late.arrivals === 0 ? "nothing old arrives" : "as many go as arrive")
}

/** As in a queue whose consumer is too slow: what goes had to wait ever longer, by about as much as stays. */
const waitsLonger = ({ early, late, sojourn, z }: Parts): boolean => {
  const stays = (net(early) + net(late)) / Math.max(1, early.arrivals + late.arrivals)
  return sojourn !== undefined && sojourn.z >= limits.sojournZ
    && sojourn.slope >= stays / limits.sojournFactor && sojourn.slope <= stays * limits.sojournFactor
    && sojourn.slopeLate >= limits.sojournGoesOn * sojourn.slope
    && z >= limits.behindZ && net(late) >= limits.behind * late.arrivals && net(early) > 0
}

interface MutableFlow {
  arrivals: number
  departures: number
}

const emptyFlow = (): MutableFlow => ({ arrivals: 0, departures: 0 })

/**
 * Arrivals without departures.
 *
 * @since 0.1.0
 * @category statistics
 */
export const net = ({ arrivals, departures }: Flow): number => arrivals - departures

const zOf = (flow: Flow): number => net(flow) / Math.sqrt(Math.max(1, flow.arrivals + flow.departures))

// A container that fills with random keys takes in fewer and fewer new ones; a leak under steady load does not slow down. The two
// halves of the window, equally long, tell best; the last two quarters, of which traffic that comes in waves can make anything, tell
// of one that began to fill late. Where departures come in lumps, `lumps` says how many times as uneven they are as chance.
const slowing = ({ early, gone, last, late, noise, pace, third }: Parts, lumps = 1): boolean =>
  moreGo(early, late) / Math.sqrt(gone) >= limits.slowerZ ||
  slower(early, late, 0.6, pace.late) / Math.sqrt(lumps) >= limits.slowerZ
  || slower(third, last, 0.7, pace.last) / Math.sqrt(noise * lumps) >= limits.z

/** Whether surely less than its fifth arrived in the last fifth of the late half: a quarter that it began in hides that it has stopped. */
const stops = ({ late, newest, noise, pace }: Parts): boolean => {
  const expected = pace.last * late.arrivals / 5
  return newest < expected / 2 && expected - newest >= limits.stopsZ * Math.sqrt(1.25 * noise * expected)
}

/** Standard deviations by which the share that goes rose: what is about to be full loses ever more of what it takes in. */
const moreGo = (before: Flow, after: Flow): number => {
  if (before.arrivals === 0 || after.departures < limits.many * after.arrivals) return 0
  const share = Math.min(1, (before.departures + after.departures) / (before.arrivals + after.arrivals))
  const deviation = Math.sqrt(share * (1 / before.arrivals + 1 / after.arrivals))
  return deviation === 0 ? 0 : (after.departures / after.arrivals - before.departures / before.arrivals) / deviation
}

/** Standard deviations by which `after` lies below what `before` was, at its pace; 0 when it is not below `ratio` of that. */
const slower = (before: Flow, after: Flow, ratio: number, pace: number): number =>
  net(after) >= ratio * pace * net(before)
    ? 0
    : (pace * net(before) - net(after))
      / Math.sqrt(Math.max(1, pace * (before.arrivals + before.departures) + after.arrivals + after.departures))

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

/** Variance over mean, which is 1 for counts of independent events (the index of dispersion), at least 1; by the buckets of `at`. */
const dispersion = (at: ReadonlyMap<number, number>, length: number): number => {
  const times = [...at.keys()].sort((a, b) => a - b)
  const bucket = times.reduce((least, t, i) => (i === 0 ? least : Math.min(least, t - times[i - 1]!)), Infinity)
  const buckets = Math.max(times.length, Math.floor(length / bucket))
  const counts = [...at.values()]
  const mean = counts.reduce((sum, count) => sum + count, 0) / buckets
  const empty = (buckets - counts.length) * mean ** 2
  const variance = (empty + counts.reduce((sum, count) => sum + (count - mean) ** 2, 0)) / (buckets - 1)
  return buckets > 1 && mean > 0 ? Math.max(1, variance / mean) : 1
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
