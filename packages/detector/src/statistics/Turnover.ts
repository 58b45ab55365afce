/**
 * Arrivals against departures of old things: the one statistic behind every verdict, for fibers and for memory.
 *
 * **Details**
 *
 * Call *old* what was born before `t - age` and is alive at `t`. Old things form a queue: they arrive when they reach that age, they
 * depart when they die. With bounded work, departures keep up with arrivals, or there are neither; in a leak,
 * arrivals go on and nothing departs. Daemons forked at the start, warm-up, bursts, sawtooth, ramps and long but finite work all
 * end with nothing old arriving any more. This is the weak generational hypothesis (generation counts as in V. Šor's thesis,
 * "Statistical Approach for Memory Leak Detection in Java Applications", Tartu 2014) with the deaths added.
 *
 * Under the hypothesis "as many depart as arrive" the net of a window is a difference of two counts with about the same mean, so
 * net / √(arrivals + departures) is a standard normal variable (Przyborowski & Wilenski 1940, the test for two Poisson counts).
 */
import { classify } from "./checks.ts"
import type { Classification } from "./checks.ts"
import type { Lifetime } from "./Lifetimes.ts"
import { signalsOf } from "./signals.ts"
import type * as Sojourn from "./Sojourn.ts"
import type { Point } from "./TimeSeries.ts"
import type { Flow, Options, Window } from "./Window.ts"

/**
 * The classification of one site, with its counts.
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
  /** Net arrivals a second in the late half. */
  readonly perSecond: number
}

/**
 * Judges one site over a window; `age` is how old is old, in milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import * as Lifetimes from "./Lifetimes.ts"
 * import * as Turnover from "./Turnover.ts"
 *
 * const leak = Lifetimes.make()
 * const cache = Lifetimes.make()
 * for (let second = 0; second < 30; second++) {
 *   leak.recordBirth(second * 1000, 5)
 *   cache.recordBirth(second * 1000, 5)
 *   if (second >= 10) cache.recordDeath((second - 10) * 1000, second * 1000, 5)
 * }
 * console.log(Turnover.judge(leak.all(), { start: 0, end: 30_000 }, 4000)._tag) // growing
 * console.log(Turnover.judge(cache.all(), { start: 0, end: 30_000 }, 4000)._tag) // steady
 * ```
 */
export const judge = (
  lifetimes: Iterable<Lifetime>,
  window: Window,
  age: number,
  options: Options = {}
): Turnover => {
  // `lifetimes` may be a one-shot iterable, and is read twice.
  const all = [...lifetimes]
  const signals = signalsOf(all, window, age, options)
  const { emptiedAt, fall, last, late, old, perSecond, sojourn } = signals
  const found = classify(signals, options)
  // A collection that was emptied began again then, and may fill more and more slowly since.
  const since = found._tag === "growing" && !found.queue && emptiedAt !== undefined
    ? judge(all, { start: emptiedAt, end: window.end }, age, options)
    : found
  return {
    age,
    late,
    last,
    old,
    sojourn,
    fall,
    perSecond,
    ...(found._tag === "growing" && since._tag !== "growing" ? { ...since, ...sinceEmptied(since) } : found)
  }
}

/** It was emptied, and growth since then is not sure. */
const sinceEmptied = ({ _tag, why }: Classification) => ({
  _tag: "unclear",
  row: "emptied",
  why: _tag === "steady" ? "it was emptied, and has not clearly grown since" : why,
  behind: false,
  queue: false
} as const)

/** How many more got old in the late half of a window than went, of those that go only what was born since some moment. */
export const netOf = (lives: Iterable<Lifetime>, { end, start }: Window, age: number, since = -Infinity): number => {
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
  const lives: Array<Lifetime> = []
  for (let i = 1; i < points.length; i++) {
    const { t, value } = points[i]!
    const rise = value - points[i - 1]!.value
    if (rise > 0) lives.push({ born: t, died: Infinity, count: rise })
    if (rise < 0) lives.push({ born: -Infinity, died: t, count: -rise })
  }
  return judge(lives, window, 0)
}
