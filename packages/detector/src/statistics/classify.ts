/** From what was counted of old things to what is said of them. */
import { limits } from "./limits.ts"
import type { OldThings } from "./TenuredCounts.ts"
import { net, zOf } from "./Window.ts"
import type { Flow, Options } from "./Window.ts"

export interface Classification {
  readonly _tag: "growing" | "unclear" | "steady"
  readonly why: string
  /** More arrive than go, and what goes makes it unclear: a heap floor that rises with it would decide. */
  readonly behind: boolean
  /** It grows as a queue does: what goes had to wait ever longer. */
  readonly queue: boolean
}

/** What is said of old things: whether they grow, and why, or what speaks against it. */
export const conclude = (
  things: OldThings,
  options: Options
): Classification => {
  const { atOnce, clumps, early, emptied, fall, gone, last, late, left, lump, third, waves } = things
  const z = zOf(late)
  const steady = (why: string) => ({ _tag: "steady", why, behind: false, queue: false }) as const
  const queue = waitsLonger(things)
  // What comes together goes together: one group more or less is as much as chance makes.
  const groups = z / Math.sqrt(clumps)
  const unclear = (why: string, behind = false) => ({ _tag: "unclear", why, behind, queue }) as const
  const growing = (why: string) => ({ _tag: "growing", why, behind: false, queue }) as const
  const rule = net(late) >= limits.share * late.arrivals
  const fewest = options.fewest ?? limits.arrivals
  const few = fewest * limits.suspiciousShare
  const suspicious = options.suspicious ?? few
  const certain = net(late)
    / Math.sqrt(Math.max(1, late.arrivals * (late.departures === 0 ? 1 : clumps) + late.departures * gone))
  if (certain >= limits.z && rule && late.arrivals >= fewest && net(third) > 0 && net(last) > 0 && net(early) >= 0) {
    if (net(last) <= 0.1 * last.arrivals) {
      // Where nothing arrives any more it is full. Where as many go as come, the going may have come in one lump.
      return last.arrivals < few
        ? steady("it has come to rest")
        : unclear("it has just stopped growing")
    }
    if (net(last) >= limits.share * last.arrivals && zOf(last) >= limits.z / 2) {
      if (slowing(things)) return unclear("fewer and fewer stay: it may be filling up")
      if (stops(things)) return unclear("it may just have stopped growing")
      // It may lie across the middle of the late half, and so look like growth in both quarters.
      if (atOnce > limits.atOnce) return unclear("most of them came at once")
      if (fall > limits.fall || (emptied && !queue)) return unclear("something empties it now and then")
      return growing("old ones go on arriving and hardly any goes")
    }
  }
  if (options.steadyTraffic === true && late.arrivals >= fewest && !slowing(things, gone) && queue) {
    return groups >= limits.z
      ? growing("what goes had to wait ever longer")
      : unclear("what goes had to wait ever longer, but too few have gone so far to tell that from chance")
  }
  // A queue whose consumer is too slow loses its oldest all the time, and grows all the same: what stays grows in both quarters, or,
  // where what goes goes in lumps, what is left after each of them.
  // Traffic comes in waves, of which many things make more than chance; how uneven the arrivals are tells by how much.
  const surely = net(late) / Math.sqrt(Math.max(1, late.arrivals * waves + late.departures * gone))
  const surelyLeft = left / Math.sqrt(waves * Math.max(1, late.arrivals + late.departures))
  const behind = surely >= limits.z && late.arrivals >= fewest && net(late) >= limits.behind * late.arrivals
  const both = (least: number) => fall <= limits.fall && zOf(third) >= least && zOf(last) >= least
  // What is left is more in the last quarter than before, also when it has come to rest there.
  const more = last.arrivals >= few && surelyLeft >= limits.behindZ
  if (behind && !slowing(things) && (both(1) || more)) {
    return options.steadyTraffic === true && surely >= limits.behindZ && (both(2) || more)
      ? growing("some go, and more arrive, though there is no more to do than before")
      : unclear("more arrive than go, but many do go", options.steadyTraffic === true)
  }
  if (z >= limits.z && rule && late.arrivals >= fewest && net(early) >= 0 && net(third) > 0 && net(last) > 0) {
    return unclear("growth slows down at the end")
  }
  const goesOn = net(early) >= 0 && net(third) > 0 && net(last) >= limits.behind * last.arrivals && last.arrivals >= few
  if (groups >= limits.behindZ && late.arrivals >= fewest && net(late) >= limits.behind * late.arrivals && goesOn) {
    return unclear(
      "more arrive than go, but what goes, goes in lumps",
      options.steadyTraffic === true && !slowing(things)
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
const waitsLonger = ({ early, late, sojourn, clumps }: OldThings): boolean => {
  const stays = (net(early) + net(late)) / Math.max(1, early.arrivals + late.arrivals)
  return sojourn !== undefined && sojourn.z >= limits.sojournZ
    && sojourn.slope >= limits.sojournLeast * stays && sojourn.slope <= limits.sojournMost * stays
    && sojourn.slopeLate >= limits.sojournGoesOn * sojourn.slope
    && zOf(late) / Math.sqrt(clumps) >= limits.suspiciousZ && net(late) >= limits.line * late.arrivals &&
    net(early) >= 0
}

// A container that fills with random keys takes in fewer and fewer new ones; a leak under steady load does not slow down. The two
// halves of the window, equally long, tell best; the last two quarters, of which traffic that comes in waves can make anything, tell
// of one that began to fill late. `lumps` says how many times as uneven as chance all of it is taken to be.
const slowing = ({ early, gone, last, late, noise, pace, third }: OldThings, lumps = 1): boolean =>
  moreGo(early, late) / Math.sqrt(gone) >= limits.slowerZ ||
  slower(early, late, 0.6, pace.late, gone) / Math.sqrt(lumps) >= limits.slowerZ
  || slower(third, last, 0.7, pace.last, gone) / Math.sqrt(noise * lumps) >= limits.z

/** Whether surely less than its fifth arrived in the last fifth of the late half: a quarter that it began in hides that it has stopped. */
const stops = ({ late, newest, noise, pace }: OldThings): boolean => {
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

/**
 * Standard deviations by which `after` lies below what `before` was, at its pace; 0 when it is not below `ratio` of that. What goes in
 * lumps counts as so many lumps.
 */
const slower = (before: Flow, after: Flow, ratio: number, pace: number, lumps: number): number => {
  const variance = (flow: Flow) => flow.arrivals + lumps * flow.departures
  return net(after) >= ratio * pace * net(before)
    ? 0
    : (pace * net(before) - net(after)) / Math.sqrt(Math.max(1, pace * variance(before) + variance(after)))
}
