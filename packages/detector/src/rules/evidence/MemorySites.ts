/** The functions whose memory grows, and the one that causes it. */
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
import { lengthOf, net, zOf } from "../../statistics/Window.ts"
import { floorGrowth } from "./HeapFloor.ts"
import { trafficRises, workOf } from "./Traffic.ts"

/** Readings without which a quarter of the window has none. */
export const fewestReadings = 4

/** The run for which the bytes in {@link limits} are given, in milliseconds: a part of their unit. */
const usualRun = 30_000

/** Bytes of old growth in the late half of a window below which nothing is called growing. Chance adds up with the root of the time. */
export const leastGrowth = (window: Window): number =>
  limits.siteBytes * Math.sqrt(Math.max(1, lengthOf(window) / usualRun))

/** The evidence of the heap floor against memory that is said to grow at this speed, if there is any. */
export const floorObjection = (observation: Observation, bytesPerSecond: number): string | undefined => {
  const window = memoryWindow(observation)
  const floor = floorGrowth(observation, window)
  // A healthy program raises the floor by as much while it warms up, so a leak must raise it by more.
  const warmUp = limits.most * limits.siteBytes / (lengthOf(window) / 1000)
  if (floor !== undefined && floor.most < limits.most * bytesPerSecond + warmUp) {
    return "the heap does not grow with it: other objects may be released instead"
  }
  // Objects older than these samples are not among them, so nothing shows their release; only the heap does.
  const beganLate = observation.allocations.since > observation.window.start
  return beganLate && (floor === undefined || floor.likely < limits.most * bytesPerSecond)
    ? "the samples began later than the run, and the heap does not clearly grow with them"
    : undefined
}

/** A site, and the classification of its objects. */
export interface Judged {
  readonly site: AllocationSite
  readonly turnover: Turnover.Turnover
  /** The average bytes of one of its sampled objects. */
  readonly bytesEach: number
}

/** The time for which memory is known: from the first of the samples that are kept to their last reading. */
export const memoryWindow = ({ allocations, window }: Observation): Window => {
  const start = Math.max(window.start, allocations.since)
  return { start, end: Math.max(start, allocations.readings.at(-1) ?? start) }
}

const bytesEach = ({ bytes, lives }: AllocationSite): number => bytes / Math.max(1, lives.living())

/** Whether more than this share of the things that got old has gone. */
export const manyDepart = ({ late }: Turnover.Turnover, share: number = limits.many): boolean =>
  late.departures > share * late.arrivals

const readingLength = (readings: ReadonlyArray<number>): number =>
  median(readings.slice(1).map((t, i) => t - readings[i]!))

/** The sites of these scopes that may grow, the largest growth first. */
export const judgeSites = (
  observation: Observation,
  bytes: number,
  scopes: ReadonlyArray<AllocationSite["scope"]>
): ReadonlyArray<Judged> => {
  const { allocations } = observation
  const window = memoryWindow(observation)
  const age = Math.max(limits.youngest, lengthOf(window) / limits.ageParts)
  const steadyTraffic = !trafficRises(observation)
  const work = workOf(observation)
  // Between two readings, births are placed by their ordinals, of which a reading itself takes many.
  const resolution = readingLength(allocations.readings)
  const judged: Array<Judged> = []
  for (const site of allocations.sites.values()) {
    if (!scopes.includes(site.scope)) continue
    const living = site.lives.living()
    const least = site.scope === "whole" ? limits.programBytes : bytes
    const fewest = Math.max(limits.arrivals, living === 0 ? 0 : Math.ceil(least * living / site.bytes))
    if (living < fewest * limits.most) continue
    const judge = (old: number) =>
      Turnover.judge(site.lives.all(), window, old, {
        steadyTraffic,
        work,
        fewest,
        resolution,
        youngest: limits.youngest
      })
    judged.push({ site, bytesEach: bytesEach(site), turnover: atTheRightAge(judge, age) })
  }
  return judged.sort((a, b) => net(b.turnover.late) - net(a.turnover.late))
}

/**
 * The classification at one sixth of the run, unless another age shows more. At twice the age, long work has departed and a leak has not.
 * Hardly any item of a growing queue is old, but its items wait longer and longer, which shows at the smallest age.
 */
const atTheRightAge = (judge: (age: number) => Turnover.Turnover, age: number): Turnover.Turnover => {
  const turnover = judge(age)
  const hidden = manyDepart(turnover) && (turnover._tag !== "steady" || zOf(turnover.late) >= limits.suspected)
  const older = hidden ? judge(limits.older * age) : turnover
  if (older._tag === "growing" && !manyDepart(older)) return older
  const younger = turnover._tag === "steady" ? judge(limits.youngest) : turnover
  return younger.queue ? younger : turnover
}

/**
 * The causes, the likeliest first: of the growing sites of the program, the innermost that still explains most of the widest; likewise of
 * libraries, where no frame of the program is left; and the largest site when the whole program grows and no site explains most of that,
 * because V8 inlined a function halfway.
 */
export const causesOf = (observation: Observation, judged: ReadonlyArray<Judged>): ReadonlyArray<Judged> => {
  const growing = judged.filter(({ turnover }) => turnover._tag === "growing")
  const of = (scope: AllocationSite["scope"]) => growing.filter(({ site }) => site.scope === scope)
  const [whole] = of("whole")
  const largest = judged.find(({ site }) => site.scope === "program" || site.scope === "library")
  const spread = whole !== undefined && largest !== undefined
    && net(largest.turnover.late) <= limits.most * net(whole.turnover.late)
  return [
    innermost(observation, of("program")),
    innermost(observation, of("library")),
    spread ? { site: largest.site, turnover: whole.turnover, bytesEach: bytesEach(whole.site) } : undefined
  ].filter((one) => one !== undefined)
}

/** The sites of the program that grow as well and have other stacks: other parts of one leak, or other leaks. */
export const others = (
  observation: Observation,
  judged: ReadonlyArray<Judged>,
  cause: Judged
): ReadonlyArray<Judged> => {
  const left = judged.filter(({ site, turnover }) =>
    site.scope === "program" && turnover._tag === "growing" && !meet(observation, site, cause.site)
  )
  const next = innermost(observation, left)
  return next === undefined
    ? []
    : [next, ...others(observation, left.filter(({ site }) => !meet(observation, site, next.site)), next)]
}

/** Whether more than a few of the objects of one or the other are those of both. */
const meet = ({ allocations }: Observation, a: AllocationSite, b: AllocationSite): boolean =>
  allocations.together(a, b) > limits.few * Math.min(a.lives.living(), b.lives.living())

/**
 * The innermost of these sites, the widest first, that still explains most of the widest. A constructor does what it is for, so its caller
 * is preferred.
 */
const innermost = (observation: Observation, candidates: ReadonlyArray<Judged>): Judged | undefined => {
  const [widest] = candidates
  if (widest === undefined) return undefined
  const enough = limits.most * net(widest.turnover.late)
  const [first, ...rest] = candidates
    .filter(({ turnover }) => net(turnover.late) > enough)
    .filter((one) => one === widest || isBelow(observation, one.site, widest.site))
    .sort((a, b) => Number(isConstructor(a)) - Number(isConstructor(b)))
  return rest.reduce(
    (best, one) => (one.site.depth < best.site.depth && isConstructor(one) === isConstructor(best) ? one : best),
    first!
  )
}

const isConstructor = ({ site }: Judged): boolean => site.frames.some(isNew)

/** Whether nearly all that is allocated below one site is below another as well. */
const isBelow = ({ allocations }: Observation, inner: AllocationSite, outer: AllocationSite): boolean =>
  allocations.together(inner, outer) >= (1 - limits.few) * inner.lives.living()

export interface Named {
  readonly site: Site
  readonly chain: ReadonlyArray<Site>
  /** The function that allocated it for the site. */
  readonly inner: Site | undefined
  /** The function of a library that allocated it with no function of the program on the stack. */
  readonly library: string | undefined
}

export const allocatorOf = ({ allocations, window }: Observation, { site }: Pick<Judged, "site">): Named => {
  const callers = site.scope === "library" ? allocations.callersOf(site) : []
  const start = Math.max(window.start, allocations.since)
  const stack = allocations.chain(site, start + ((allocations.readings.at(-1) ?? start) - start) * limits.startUp)
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
 * The place in the program below which most memory grows, however little that is: for findings that have other proof. With `concerns`,
 * only places whose stack concerns the finding.
 */
export const growingPlace = (
  observation: Observation,
  concerns?: (chain: ReadonlyArray<Place>) => boolean
): { readonly site: Site; readonly chain: ReadonlyArray<Site> } | undefined => {
  if (observation.allocations.readings.length < fewestReadings) return undefined
  const since = memoryWindow(observation).start
  // The chain of a site takes a look at everything that lives, so only growing sites are asked.
  const judged = judgeSites(observation, 0, ["program"]).filter(({ site, turnover }) =>
    turnover._tag !== "steady" && (concerns === undefined || concerns(observation.allocations.chain(site, since)))
  )
  // Something of this kind is known to grow, so a site that only seems to will do.
  const cause = causesOf(observation, judged)[0]
    ?? (concerns === undefined ? undefined : innermost(observation, judged))
  return cause === undefined ? undefined : allocatorOf(observation, cause)
}
