/** Which functions' memory grows, and whom to blame for it. */
import type { Place } from "../../agent/Protocol.ts"
import type { Site } from "../../Finding.ts"
import type { AllocationSite } from "../../observation/AllocationSites.ts"
import type { Observation } from "../../observation/Observation.ts"
import { isNew } from "../../places/EnclosingName.ts"
import { isProgramFrame } from "../../places/frames.ts"
import { effectApi, libraryName, siteOf } from "../../places/Site.ts"
import { limits } from "../../statistics/limits.ts"
import { median } from "../../statistics/Trend.ts"
import * as Turnover from "../../statistics/Turnover.ts"
import type { Window } from "../../statistics/Window.ts"
import { lateOf, lengthOf, net } from "../../statistics/Window.ts"
import { floorGrowth } from "./HeapFloor.ts"
import { trafficRises, workOf } from "./Traffic.ts"

/** Milliseconds: younger survivors are work in progress. */
const youngest = 3000

/** Readings without which there is nothing to compare. */
export const fewestReadings = 4

/** Fine samples show what V8 and node keep for themselves while a program gets warm, in servers that leak nothing: feedback, code, pools. */
const warmBytes = 74 * 1024

/**
 * Bytes of old growth in the late half of half a minute below which nothing is called growing: clearly more than what V8 and node keep for
 * themselves while a program gets warm, up to 74 KB in half a minute.
 */
const leastBytes = 128 * 1024

/**
 * The same for the late half of a window. What happens now and then, by chance, adds up to as much as the root of the time: in 120
 * seconds of programs that leak nothing, up to 176 KB at one site.
 */
export const leastGrowth = (window: Window): number => leastBytes * Math.sqrt(Math.max(1, lengthOf(window) / 30_000))

/**
 * The same for the whole program, where no function accounts for it. V8 throws away the code of functions that did not run for a while,
 * compiles it again, and goes on optimizing: up to 0.7 MB in a minute in programs that leak nothing.
 */
export const codeBytes = 1024 * 1024

/** Memory that grows at a site raises the heap floor by as much, unless as much goes elsewhere: by half of it at the least. */
export const halfway = 0.5

/** What the heap floor says against memory that is said to grow so fast. */
export const floorObjection = (observation: Observation, bytesPerSecond: number): string | undefined => {
  const window = memoryWindow(observation)
  const floor = floorGrowth(observation, window)
  // That much it rises without any leak, so it takes more than that to agree with one.
  const warm = warmBytes / (lengthOf(lateOf(window)) / 1000)
  if (floor !== undefined && floor.most < halfway * bytesPerSecond + warm) {
    return "the heap does not grow with it: what was there before may go instead"
  }
  // What was there when these samples began is not among them, so nobody sees it go: only the heap tells.
  const beganLate = observation.allocations.since > observation.window.start
  return beganLate && (floor === undefined || floor.likely < halfway * bytesPerSecond)
    ? "the samples began later than the run, and the heap does not clearly grow with them: what was there before may go instead"
    : undefined
}

/** A site, and what is said of its objects. */
export interface Judged {
  readonly site: AllocationSite
  readonly turnover: Turnover.Turnover
  /** The bytes of one of its sampled objects, on average. */
  readonly bytesEach: number
}

/** What can be said of memory begins with the samples that are alive and ends with the last reading of them. */
export const memoryWindow = ({ allocations, window }: Observation): Window => {
  const start = Math.max(window.start, allocations.since)
  return { start, end: Math.max(start, allocations.readings.at(-1) ?? start) }
}

/** The share of what gets old that a leak loses at the most, unless there was time to see that it is one. */
export const mostThatGo = 1 / 3

const bytesEach = ({ bytes, lives }: AllocationSite): number => bytes / Math.max(1, lives.living())

/** Whether more than this share of what got old has gone. */
export const manyOfThemGo = ({ late }: Turnover.Turnover, share = mostThatGo): boolean =>
  late.departures > share * late.arrivals

const lengthOfReading = (readings: ReadonlyArray<number>): number =>
  median(readings.slice(1).map((t, i) => t - readings[i]!))

/** All sites of these scopes, most growth first. */
export const judgeSites = (
  observation: Observation,
  bytes: number,
  scopes: ReadonlyArray<AllocationSite["scope"]>
): ReadonlyArray<Judged> => {
  const { allocations } = observation
  const window = memoryWindow(observation)
  const age = Math.max(youngest, lengthOf(window) / 6)
  const steadyTraffic = !trafficRises(observation)
  const work = workOf(observation)
  // In between of two readings births are told by ordinals, of which a reading itself takes many.
  const resolution = lengthOfReading(allocations.readings)
  const judged: Array<Judged> = []
  for (const site of allocations.sites.values()) {
    if (!scopes.includes(site.scope)) continue
    const living = site.lives.living()
    const least = site.scope === "whole" ? codeBytes : bytes
    const fewest = Math.max(limits.arrivals, living === 0 ? 0 : Math.ceil(least * living / site.bytes))
    if (living < fewest * limits.suspiciousShare) continue
    const judge = (old: number) =>
      Turnover.judge(site.lives.all(), window, old, { steadyTraffic, work, fewest, youngest, resolution })
    const turnover = judge(age)
    // Work that takes long, and what a full container holds, is old too, and goes. Twice as old it has gone, and what leaks has not.
    const hidden = manyOfThemGo(turnover) && (turnover._tag !== "steady" || turnover.z >= limits.suspiciousZ)
    const older = hidden ? judge(2 * age) : turnover
    // Of a queue that gets longer hardly anything may be old enough, yet all of it waits longer than what came before.
    const line = turnover._tag === "steady" ? judge(youngest) : turnover
    judged.push({
      site,
      bytesEach: bytesEach(site),
      turnover: older._tag === "growing" && !manyOfThemGo(older) ? older : line.queue ? line : turnover
    })
  }
  return judged.sort((a, b) => net(b.turnover.late) - net(a.turnover.late))
}

/**
 * Whom to blame, the likeliest first: of the growing sites of the program, the innermost that still explains most of what the widest
 * does; of those of libraries, where no frame of the program is left; and the site with most growth when the whole program grows and no
 * site explains most of that, because V8 inlined a function half-way. What one site explains is judged there.
 */
export const culprits = (observation: Observation, judged: ReadonlyArray<Judged>): ReadonlyArray<Judged> => {
  const growing = judged.filter(({ turnover }) => turnover._tag === "growing")
  const of = (scope: AllocationSite["scope"]) => growing.filter(({ site }) => site.scope === scope)
  const [whole] = of("whole")
  const largest = judged.find(({ site }) => site.scope === "program" || site.scope === "library")
  const spread = whole !== undefined && largest !== undefined
    && net(largest.turnover.late) <= most * net(whole.turnover.late)
  return [
    innermost(observation, of("program")),
    innermost(observation, of("library")),
    spread ? { site: largest.site, turnover: whole.turnover, bytesEach: bytesEach(whole.site) } : undefined
  ].filter((one) => one !== undefined)
}

/** The sites of the program that grow as well, and not on the stacks of the culprit: other parts of one leak, or other leaks. */
export const others = (
  observation: Observation,
  judged: ReadonlyArray<Judged>,
  culprit: Judged
): ReadonlyArray<Judged> => {
  const left = judged.filter(({ site, turnover }) =>
    site.scope === "program" && turnover._tag === "growing" && !meet(observation, site, culprit.site)
  )
  const next = innermost(observation, left)
  return next === undefined
    ? []
    : [next, ...others(observation, left.filter(({ site }) => !meet(observation, site, next.site)), next)]
}

/** Whether more than a few of the objects of one or the other are those of both. */
const meet = ({ allocations }: Observation, a: AllocationSite, b: AllocationSite): boolean =>
  allocations.together(a, b) > few * Math.min(a.lives.living(), b.lives.living())

const few = 0.1

/**
 * The innermost of those, the widest first, that still explain most of what the widest does: further in there is no single one to
 * blame. A constructor does what it is for; whoever calls it is to blame.
 */
const innermost = (observation: Observation, candidates: ReadonlyArray<Judged>): Judged | undefined => {
  const [widest] = candidates
  if (widest === undefined) return undefined
  const enough = most * net(widest.turnover.late)
  const [first, ...others] = candidates
    .filter(({ turnover }) => net(turnover.late) > enough)
    .filter((one) => one === widest || isBelow(observation, one.site, widest.site))
    // With those that are no constructors before those that are.
    .sort((a, b) => Number(isConstructor(a)) - Number(isConstructor(b)))
  return others.reduce(
    (best, one) => (one.site.depth < best.site.depth && isConstructor(one) === isConstructor(best) ? one : best),
    first!
  )
}

const isConstructor = ({ site }: Judged): boolean => site.frames.some(isNew)

const most = 0.5

/** Whether nearly all that is allocated below one site is so below another as well. */
const isBelow = ({ allocations }: Observation, inner: AllocationSite, outer: AllocationSite): boolean =>
  allocations.together(inner, outer) >= 0.9 * inner.lives.living()

export interface Named {
  readonly site: Site
  readonly chain: ReadonlyArray<Site>
  /** Who allocated it for the site. */
  readonly inner: Site | undefined
  /** The function of a library that allocated it with no function of the program on the stack. */
  readonly library: string | undefined
}

export const allocatorOf = ({ allocations, window }: Observation, { site }: Pick<Judged, "site">): Named => {
  const callers = site.scope === "library" ? allocations.callersOf(site) : []
  const start = Math.max(window.start, allocations.since)
  const stack = allocations.chain(site, start + ((allocations.readings.at(-1) ?? start) - start) / 3)
  const program = stack.filter(isProgramFrame)
  const at = siteOf(site.scope === "program" ? site.frames[0]! : callers[0] ?? effectApi(stack) ?? site.frames[0]!)
  return {
    site: at,
    chain: (program.length > 0 ? program : callers).slice(0, 4).map(siteOf),
    inner: stack[0] === undefined ? undefined : siteOf(stack[0]),
    library: site.scope === "library" && callers.length === 0 ? libraryName(at) : undefined
  }
}

/**
 * The place in the program below which most memory grows, however little that is: for findings of which something else is the proof.
 * Of those whose chain `concerns` the finding, if that is given.
 */
export const growingPlace = (
  observation: Observation,
  concerns?: (chain: ReadonlyArray<Place>) => boolean
): { readonly site: Site; readonly chain: ReadonlyArray<Site> } | undefined => {
  if (observation.allocations.readings.length < fewestReadings) return undefined
  const since = memoryWindow(observation).start
  // To find the chain of a site takes a look at everything that lives, so only those that grow are asked for theirs.
  const judged = judgeSites(observation, 0, ["program"]).filter(({ site, turnover }) =>
    turnover._tag !== "steady" && (concerns === undefined || concerns(observation.allocations.chain(site, since)))
  )
  // That something of this kind grows is known already, so where no site surely does, one that seems to will do.
  const culprit = culprits(observation, judged)[0]
    ?? (concerns === undefined ? undefined : innermost(observation, judged))
  return culprit === undefined ? undefined : allocatorOf(observation, culprit)
}
