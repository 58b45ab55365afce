/**
 * Memory that stays: below some function ever more objects survive, and hardly any of the old ones dies.
 *
 * @since 0.1.0
 */
import type { Place } from "../agent/Protocol.ts"
import type { AllocationSite } from "../AllocationSites.ts"
import { isProgramFrame } from "../AllocationSites.ts"
import { isNew } from "../EnclosingName.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Evidence, Finding, Site } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import { survivors } from "../Lives.ts"
import type { Observation } from "../Observation.ts"
import { okAfterMs } from "../Patience.ts"
import { describeSite, effectApi, libraryName, siteOf } from "../Site.ts"
import * as Turnover from "../Turnover.ts"
import { floorTrend, mostFloorGrowth } from "./HeapFloor.ts"
import { trafficRises, workOf } from "./Traffic.ts"

const name = "SurvivorGrowth"

/** Milliseconds: younger survivors are work in progress. */
const youngest = 3000

/** Readings without which there is nothing to compare. */
const fewestReadings = 4

/**
 * Bytes of old growth in the late half of the window below which nothing is called growing. Fine samples show what V8 and node keep
 * for themselves while a program gets warm, feedback, code and pools: up to 74 KB in half a minute in servers that leak nothing.
 *
 * @since 0.1.0
 * @category constants
 */
export const leastBytes = 128 * 1024

/**
 * The same for the whole program, where no function accounts for it. V8 throws away the code of functions that did not run for a while,
 * compiles it again, and goes on optimizing: up to 0.7 MB in a minute in programs that leak nothing.
 *
 * @since 0.1.0
 * @category constants
 */
export const codeBytes = 1024 * 1024

interface Judged {
  readonly site: AllocationSite
  readonly turnover: Turnover.Turnover
}

/**
 * What can be said of memory begins with the samples that are alive and ends with the last reading of them.
 *
 * @since 0.1.0
 * @category statistics
 */
export const memoryWindow = ({ allocations, window }: Observation): Turnover.Window => {
  const start = Math.max(window.start, allocations.since)
  return { start, end: Math.max(start, allocations.readings.at(-1) ?? start) }
}

/**
 * @since 0.1.0
 * @category rules
 */
export const SurvivorGrowth: LeakRule = {
  name,
  check: (observation) => {
    const { allocations } = observation
    if (allocations.readings.length < fewestReadings) return ok
    const judged = judgeSites(observation, leastBytes, ["program", "library", "whole"])
    const culprit = findCulprit(observation, judged) ?? fallingBehind(observation, judged)
    const length = Turnover.lengthOf(memoryWindow(observation))
    if (culprit !== undefined) {
      const but = objection(observation, culprit)
      return but === undefined
        ? judgement([finding(observation, culprit)], [])
        : judgement([], [suspicion(culprit, length, but)])
    }
    const unclear = judged.find(({ site, turnover }) => turnover._tag === "unclear" && site.scope !== "library")
    return unclear === undefined ? ok : judgement([], [suspicion(unclear, length, unclear.turnover.why)])
  }
}

/**
 * The place in the program below which most memory grows, however little that is: for findings of which something else is the proof.
 * Of those whose chain `concerns` the finding, if that is given.
 *
 * @since 0.1.0
 * @category statistics
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
  const culprit = findCulprit(observation, judged)
    ?? (concerns === undefined ? undefined : innermost(observation, judged))
  return culprit === undefined ? undefined : allocatorOf(observation, culprit)
}

/** All sites of these scopes, most growth first. */
const judgeSites = (
  observation: Observation,
  bytes: number,
  scopes: ReadonlyArray<AllocationSite["scope"]>
): ReadonlyArray<Judged> => {
  const { allocations } = observation
  const window = memoryWindow(observation)
  const age = Math.max(youngest, Turnover.lengthOf(window) / 6)
  const steadyTraffic = !trafficRises(observation)
  const work = workOf(observation)
  const judged: Array<Judged> = []
  for (const site of allocations.sites.values()) {
    if (!scopes.includes(site.scope)) continue
    const living = site.lives.living()
    const least = site.scope === "whole" ? codeBytes : bytes
    const fewest = Math.max(Turnover.limits.arrivals, living === 0 ? 0 : Math.ceil(least * living / site.bytes))
    if (living < fewest * Turnover.limits.suspiciousShare) continue
    const judge = (old: number) =>
      Turnover.judge(site.lives.all(), window, old, { steadyTraffic, work, fewest, youngest })
    const turnover = judge(age)
    // Work that takes long is old too, and goes; twice as old it is gone, and what leaks is not.
    const older = turnover._tag !== "steady" && manyOfThemGo(turnover) ? judge(2 * age) : turnover
    judged.push({ site, turnover: older._tag === "growing" && !manyOfThemGo(older) ? older : turnover })
  }
  return judged.sort((a, b) => Turnover.net(b.turnover.late) - Turnover.net(a.turnover.late))
}

/**
 * A queue with a slow consumer, of which the samples alone cannot tell because its oldest go, many at a time: what is left raises the
 * heap floor, on and on, by as much.
 */
const fallingBehind = (observation: Observation, judged: ReadonlyArray<Judged>): Judged | undefined => {
  const suspect = judged.find(({ site, turnover }) => turnover.behind && site.scope === "program")
  if (suspect === undefined || observation.durationMs < twiceOk) return undefined
  const { perSecond, rising } = floorTrend(observation)
  const late = Turnover.lengthOf(memoryWindow(observation)) / 2 / 1000
  const bytes = bytesPerSecond(suspect)
  const agrees = perSecond >= halfway * bytes && perSecond <= bytes / halfway
  return rising && agrees && perSecond * late >= codeBytes ? suspect : undefined
}

/** Milliseconds: in less a warm-up raises the floor as well, and a container that keeps the last few of each kind is not full yet. */
const twiceOk = 2 * okAfterMs

/** The share of what gets old that a leak loses at the most, unless there was time to see that it is one. */
const mostThatGo = 1 / 3

/** The same in a run in which nothing could be called ok: of a container that is about to be full hardly any goes at first. */
const mostThatGoEarly = 0.1

const manyOfThemGo = ({ late }: Turnover.Turnover, share = mostThatGo): boolean =>
  late.departures > share * late.arrivals

const bytesPerSecond = ({ site, turnover }: Judged): number =>
  turnover.perSecond * site.bytes / Math.max(1, site.lives.living())

/** What speaks against growth that the samples show. */
const objection = (observation: Observation, culprit: Judged): string | undefined => {
  const bytes = bytesPerSecond(culprit)
  // What was born since then is not old yet, unless that was long ago.
  const since = observation.window.end - memoryWindow(observation).end
  if (observation.allocations.outdated && since > culprit.turnover.age && !goesOn(observation, bytes)) {
    return "the samples that tell of it end before the run"
  }
  const early = observation.durationMs < okAfterMs
  const manyGo = manyOfThemGo(culprit.turnover, early ? mostThatGoEarly : mostThatGo)
  if (observation.durationMs < twiceOk) {
    if (manyGo && !culprit.turnover.queue) return "many of the old ones go as well: it may be filling up"
  } else if (manyGo) {
    const floor = floorTrend(observation)
    if (floor.rising && floor.lastPerSecond < goesOnAt * floor.perSecond) {
      return "many of the old ones go as well, and the heap grows more and more slowly: it may come to rest"
    }
  }
  if (wholeNet(observation, culprit.turnover.age) < halfway * Turnover.net(culprit.turnover.late)) {
    return "as much goes elsewhere: V8 may have compiled it anew, under another name"
  }
  return mostFloorGrowth(observation, memoryWindow(observation)) < halfway * bytes
    ? "the heap does not grow with it: what was there before may go instead"
    : undefined
}

/**
 * How many more sampled objects of the whole program got old than went in the late half. What was born while it started does not count
 * among those that go: a program lets go of much that it needed once.
 */
const wholeNet = (observation: Observation, age: number): number => {
  const { end, start } = memoryWindow(observation)
  const from = start + age
  const cut = end - (end - from) / 2
  let net = 0
  for (const { born, count, died } of observation.allocations.whole.all()) {
    if (born + age > end || died <= born + age) continue
    if (born + age > cut) net += count
    if (died > cut && died <= end && born > from) net -= count
  }
  return net
}

/** Memory that grows at a site raises the heap floor by as much, unless as much goes elsewhere: by half of it at the least. */
const halfway = 0.5

/** A queue with a slow consumer raises the floor at an even pace; less at the end, and its delay is about to settle. */
const goesOnAt = 0.8

/** Whether the heap has grown on like this since the samples ended. */
const goesOn = (observation: Observation, bytesPerSecond: number): boolean => {
  const floors = observation.series("heap.floor")
  const { end } = memoryWindow(observation)
  const then = floors.findLast(({ t }) => t <= end)
  const now = floors.at(-1)
  return then !== undefined && now !== undefined && now.t > then.t
    && now.value - then.value >= halfway * bytesPerSecond * (now.t - then.t) / 1000
}

/**
 * Of the growing sites of the program, the innermost that still explains most of what the widest does; a site of a library where no
 * frame of the program is left; the site with most growth when only the whole program grows, because V8 inlined the function
 * half-way.
 */
const findCulprit = (observation: Observation, judged: ReadonlyArray<Judged>): Judged | undefined => {
  const growing = judged.filter(({ turnover }) => turnover._tag === "growing")
  const named = growing.filter(({ site }) => site.scope === "program")
  const candidates = named.length > 0 ? named : growing.filter(({ site }) => site.scope === "library")
  const widest = candidates[0]
  if (widest === undefined) {
    const whole = growing.find(({ site }) => site.scope === "whole")
    const most = judged.find(({ site }) => site.scope === "program" || site.scope === "library")
    return whole === undefined || most === undefined ? undefined : { site: most.site, turnover: whole.turnover }
  }
  return innermost(observation, candidates)
}

/**
 * The innermost of those, the widest first, that still explain most of what the widest does: further in there is no single one to
 * blame. A constructor does what it is for; whoever calls it is to blame.
 */
const innermost = (observation: Observation, candidates: ReadonlyArray<Judged>): Judged | undefined => {
  const [widest] = candidates
  if (widest === undefined) return undefined
  const enough = most * Turnover.net(widest.turnover.late)
  const [first, ...others] = candidates
    .filter(({ turnover }) => Turnover.net(turnover.late) > enough)
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

interface Named {
  readonly site: Site
  readonly chain: ReadonlyArray<Site>
  /** Who allocated it for the site. */
  readonly inner: Site | undefined
  /** The function of a library that allocated it with no function of the program on the stack. */
  readonly library: string | undefined
}

const allocatorOf = ({ allocations, window }: Observation, { site }: Judged): Named => {
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

/** What a library allocates under its own loop is named by what grows with it in the program, if anything does. */
const placeOf = (observation: Observation, culprit: Judged): Named => {
  const allocator = allocatorOf(observation, culprit)
  const companion = allocator.library === undefined ? undefined : growingPlace(observation)
  return { ...allocator, ...companion, library: allocator.library }
}

/** Finalizers that pile up in a scope that lives on. */
const pileUp = (observation: Observation): ReadonlyArray<Evidence> => {
  const [pile] = judgeSites(observation, 0, ["finalizers"])
  return pile?.turnover._tag === "growing"
    ? [{
      label: "finalizers",
      text: `${pile.turnover.late.arrivals} of the sampled objects that stay are what a scope keeps to run finalizers`
    }]
    : []
}

/** That it is a queue, and how long what goes had to wait. */
const waiting = ({ queue, sojourn }: Turnover.Turnover): ReadonlyArray<Evidence> =>
  queue && sojourn !== undefined
    ? [{
      label: "waiting",
      text: `what went first had been there for ${Math.round(sojourn.first / 1000)} s, and what went last for ${
        Math.round(sojourn.last / 1000)
      } s: it comes faster than it goes`
    }]
    : []

const advice = ({ queue }: Turnover.Turnover, at: Site, finalizers: boolean): string =>
  finalizers
    ? "Something is acquired again and again in a scope that lives on, and each time adds a finalizer to it: give each piece of work "
      + "a scope of its own (Effect.scoped around it), or close what is not needed any more."
    : queue
    ? "It waits in a queue whose consumer is too slow: give the queue a capacity, so that whoever fills it waits too (Queue.bounded, "
      + "Stream.buffer with a capacity) or drops (Queue.sliding), or let more than one consumer empty it."
    : `Look at what ${at.name} adds to and who takes it out again: bound a container (Cache with capacity, Queue.bounded, a TTL), `
      + "and end what belongs to a piece of work with its scope: listeners, finalizers, requests (Effect.acquireRelease, Listeners)."

const finding = (observation: Observation, culprit: Judged): Finding => {
  const { site, turnover } = culprit
  const { chain, inner, library, site: at } = placeOf(observation, culprit)
  const window = memoryWindow(observation)
  const bytesEach = site.lives.living() > 0 ? site.bytes / site.lives.living() : 0
  const perSecond = turnover.perSecond * bytesEach
  const finalizers = pileUp(observation)
  const by = inner === undefined || inner.file === at.file ? "" : `, by ${libraryName(inner)}`
  const label = library === undefined || library === libraryName(at)
    ? library ?? describeSite(at)
    : `${library}, along with what ${describeSite(at)} allocates,`
  return {
    kind: "memory-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(turnover.z),
    summary: `memory allocated in ${label} stays: ${rate(perSecond)} more`,
    site: at,
    chain,
    waits: [],
    count: site.lives.living(),
    bytes: Math.round(site.bytes),
    growth: { perSecond, unit: "bytes" },
    survivors: survivors(site.lives.all(), window),
    evidence: [
      {
        label: "survivors",
        text:
          `of the sampled objects that got older than ${
            Math.ceil(turnover.age / 1000)
          } s, ${turnover.late.arrivals} arrived in the `
          + `late half of the run and ${turnover.late.departures} died (z = ${turnover.z.toFixed(1)})`
      },
      { label: "allocated", text: `in ${library ?? describeSite(at)}${by}` },
      ...waiting(turnover),
      ...finalizers
    ],
    cannotShow:
      "What keeps them: only where they were allocated. A container that is still filling up looks the same until it is full.",
    fix: advice(turnover, at, finalizers.length > 0),
    docs: docsOf("memory-growth"),
    fingerprint: fingerprint("memory-growth", at),
    pid: observation.hello?.pid ?? 0
  }
}

const suspicion = ({ site }: Judged, length: number, why: string): Suspicion => ({
  rule: name,
  what: site.scope === "whole"
    ? "memory of the whole program grows"
    : `memory allocated in ${describeSite(siteOf(site.frames[0]!))} grows`,
  why,
  wouldTake: `a run of ${Math.ceil(2 * length / 1000)} s`
})

const rate = (bytesPerSecond: number): string =>
  bytesPerSecond >= 1024 * 1024
    ? `${(bytesPerSecond / 1024 / 1024).toFixed(1)} MB/s`
    : `${Math.round(bytesPerSecond / 1024)} KB/s`
