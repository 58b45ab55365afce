/** Paths of heap snapshots: those whose objects only become more, and whether there is any growth at all. */
import type { HeapGrowth, HeapPath } from "../../agent/Protocol.ts"
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"

/** The comparison of enough snapshots for a decision: two show growth, and the third one that it goes on. */
export const decidingGrowth = ({ growth }: Observation): HeapGrowth | undefined =>
  growth !== undefined && growth.times.length >= limits.snapshots ? growth : undefined

/** The gain of a path from the first snapshot to the last. */
export const gained = (values: ReadonlyArray<number>): number => (values.at(-1) ?? 0) - (values[0] ?? 0)

/** Seconds from the first snapshot to the last. */
export const secondsOf = ({ times }: HeapGrowth): number => Math.max(1, gained(times)) / 1000

/**
 * Whether a path leaks: it has no bound, it grew as fast in the last interval as before, hardly slower than by chance, and hardly any object left it. Objects
 * that become larger instead of more do not leave.
 */
export const leaks = (path: HeapPath, { times }: HeapGrowth): boolean => {
  if (path.bound !== undefined || gained(path.bytes) < limits.siteBytes) return false
  const speeds = speedsOf(path.how === "more" ? path.counts : path.bytes, times)
  if (speeds.at(-1)! < limits.most * Math.max(...speeds)) return false
  if (path.how === "more" && slowing(path.counts, times) >= limits.sure) return false
  return path.how === "more"
    ? path.counts.slice(1).every((count, i) => onlyArrive(path.counts[i]!, count, path.stayed[i] ?? 0))
    : speeds.every((speed) => speed > 0)
}

/** Whether a path gained little, or hardly anything in the last interval: it has filled up. */
export const isAtRest = ({ bytes }: HeapPath, { times }: HeapGrowth): boolean => {
  const speeds = speedsOf(bytes, times)
  return gained(bytes) < limits.siteBytes || speeds.at(-1)! <= limits.many * Math.max(...speeds)
}

/** The speed in each interval. */
const speedsOf = (values: ReadonlyArray<number>, times: ReadonlyArray<number>): ReadonlyArray<number> =>
  values.slice(1).map((value, i) => (value - values[i]!) / Math.max(1, times[i + 1]! - times[i]!))

/**
 * By how many standard deviations fewer objects came in the last interval than at the speed before: a collection that fills with keys at
 * random accepts fewer and fewer new ones. Arrivals in two intervals are Poisson counts (Przyborowski & Wilenski 1940).
 */
const slowing = (counts: ReadonlyArray<number>, times: ReadonlyArray<number>): number => {
  const all = gained(counts)
  const late = gained(counts.slice(-2))
  const share = gained(times.slice(-2)) / Math.max(1, gained(times))
  return (all * share - late) / Math.sqrt(Math.max(1, all * share * (1 - share)))
}

/** Whether there were enough arrivals in an interval, and hardly any departure. */
const onlyArrive = (before: number, after: number, stayed: number): boolean => {
  const arrivals = after - stayed
  const departures = before - stayed
  return arrivals >= limits.arrivals && departures <= limits.few * arrivals
}

/** Whether some path may hold what grows by so many bytes a second. */
export const mayHold = (growth: HeapGrowth, bytesPerSecond: number): boolean =>
  growth.paths.some(({ bytes }) => gained(bytes) / secondsOf(growth) >= limits.many * bytesPerSecond)
