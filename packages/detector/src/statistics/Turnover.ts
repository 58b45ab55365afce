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
 */
import { conclude } from "./classify.ts"
import type { Classification } from "./classify.ts"
import type { Life } from "./Lifetimes.ts"
import type * as Sojourn from "./Sojourn.ts"
import { count } from "./TenuredCounts.ts"
import type { Point } from "./TimeSeries.ts"
import { zOf } from "./Window.ts"
import type { Flow, Options, Window } from "./Window.ts"

/**
 * What the statistic says of one site.
 *
 * **Details**
 *
 * - `growing`: arrivals outnumber departures by more than chance, as a rule, and still at the end;
 * - `unclear`: it looks like that, and something speaks against it: `why` says what;
 * - `steady`: departures keep up, or nothing old arrives.
 */
export interface Turnover extends Classification {
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
 * Judges one site over a window; `age` is how old is old, in milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import * as Lives from "./Lifetimes.ts"
 * import * as Turnover from "./Turnover.ts"
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
 */
export const judge = (lives: Iterable<Life>, window: Window, age: number, options: Options = {}): Turnover => {
  // They may be told only once, and are looked at twice.
  const all = [...lives]
  const things = count(all, window, age, options)
  const { emptiedAt, fall, last, late, old, perSecond, sojourn } = things
  const said = conclude(things, options)
  // What was emptied began anew then: whether it fills ever more slowly since shows without what was before.
  const since = said._tag === "growing" && !said.queue && emptiedAt !== undefined
    ? judge(all, { start: emptiedAt, end: window.end }, age, options)
    : said
  const why = since._tag === "steady" ? "something emptied it, and it has not clearly grown since" : since.why
  const doubt = { _tag: "unclear", why, behind: false, queue: false } as const
  const counted = { age, late, last, old, sojourn, fall, z: zOf(late), perSecond }
  return { ...counted, ...(said._tag === "growing" && since._tag !== "growing" ? doubt : said) }
}

/** How many more got old in the late half of a window than went, of those that go only what was born since some moment. */
export const netOf = (lives: Iterable<Life>, { end, start }: Window, age: number, since = -Infinity): number => {
  const from = start + age
  const cut = end - (end - from) / 2
  let net = 0
  for (const { born, count, died } of lives) {
    if (born + age > end || died <= born + age) continue
    if (born + age > cut) net += count
    if (died > cut && died <= end && born > since) net -= count
  }
  return net
}

/**
 * The same for a number of which only the sum is known, such as open sockets: what it rises by arrives, what it falls by departs. Its
 * individuals have no age, so a window in which the number just rises, for whatever reason, looks like a leak.
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
