/** Memory that is retained: the objects allocated below a function survive, and hardly any of the old ones is released. */
import * as Findings from "../Finding.ts"
import type { Evidence, Finding, Site } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite, libraryName, siteOf } from "../places/Site.ts"
import { survivors } from "../statistics/Lifetimes.ts"
import { limits } from "../statistics/limits.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf, net } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { floorTrend } from "./evidence/HeapFloor.ts"
import { decidingGrowth, secondsOf } from "./evidence/HeapPaths.ts"
import {
  allocatorOf,
  causesOf,
  fewestReadings,
  floorObjection,
  growingPlace,
  judgeSites,
  leastGrowth,
  manyDepart,
  memoryWindow,
  others
} from "./evidence/MemorySites.ts"
import type { Judged, Named } from "./evidence/MemorySites.ts"
import { isSampled, sampledLimit } from "./evidence/sampledLimit.ts"

const name = "SurvivorGrowth"

export const SurvivorGrowth = LeakRule.make({
  name,
  explainedBy: { kinds: ["fiber-growth", "abandoned-fibers"], where: "same-file" },
  detectable: (observation) => ({
    ...detectable(observation),
    essential: {
      why: isSampled(observation)
        ? `${observation.allocations.readings.length} readings of memory are too few; it would take ${
          LeakRule.runOf(2 * observation.durationMs)
        }`
        : "memory was not sampled; it would take a run with allocation samples"
    }
  }),
  find: (observation) => {
    if (observation.allocations.readings.length < fewestReadings) return {}
    const judged = judgeSites(observation, leastGrowth(memoryWindow(observation)), ["program", "library", "whole"])
    const grown = causesOf(observation, judged)
    const suspects = grown.length > 0 ? grown : fallingBehind(observation, judged)
    const doubts = suspects.map((suspect) => objection(observation, suspect))
    const cause = suspects[doubts.indexOf(undefined)]
    if (cause !== undefined) return { findings: [findingOf(observation, cause, others(observation, judged, cause))] }
    const length = lengthOf(memoryWindow(observation))
    if (suspects[0] !== undefined) return { suspicions: [suspicion(suspects[0], length, doubts[0]!)] }
    const unclear = judged.find(({ site, turnover }) => turnover._tag === "unclear" && site.scope !== "library")
    return unclear === undefined ? {} : { suspicions: [suspicion(unclear, length, unclear.turnover.why)] }
  }
})

/** Snapshots show what one path of the heap gained; the samples do where there are enough of them. */
const detectable = (observation: Observation): Pick<LeakRule.Detectable, "perSecond" | "where"> => {
  const perSecond = sampledLimit(observation)
  const growth = decidingGrowth(observation)
  return perSecond < Infinity || growth === undefined
    ? { perSecond, where: "in one function" }
    : { perSecond: limits.siteBytes / secondsOf(growth), where: "on one path in the heap" }
}

/** A queue with a slow consumer, whose releases in batches make the samples unclear: the heap floor rises by as much as remains. */
const fallingBehind = (observation: Observation, judged: ReadonlyArray<Judged>): ReadonlyArray<Judged> => {
  const suspect = judged.find(({ site, turnover }) => turnover.behind && site.scope === "program")
  // In a shorter run a warm-up raises the floor as well.
  if (suspect === undefined || observation.durationMs < 2 * limits.okAfter) return []
  const { perSecond, rising } = floorTrend(observation)
  const lateSeconds = lengthOf(memoryWindow(observation)) / 2 / 1000
  const bytes = bytesPerSecond(suspect)
  const agrees = perSecond >= limits.most * bytes && perSecond <= bytes / limits.most
  return rising && agrees && perSecond * lateSeconds >= limits.programBytes ? [suspect] : []
}

const bytesPerSecond = ({ bytesEach, turnover }: Judged): number => turnover.perSecond * bytesEach

/** The evidence against growth that the samples show, if there is any. */
const objection = (observation: Observation, cause: Judged): string | undefined => {
  const bytes = bytesPerSecond(cause)
  // Anything born since the samples ended is not old yet, unless that was long ago.
  const since = observation.window.end - memoryWindow(observation).end
  if (observation.allocations.outdated && since > cause.turnover.age && !continues(observation, bytes)) {
    return "its samples end before the run"
  }
  const early = observation.durationMs < limits.okAfter
  const depart = manyDepart(cause.turnover, early ? limits.few : limits.most)
  if (observation.durationMs < 2 * limits.okAfter) {
    if (depart && !cause.turnover.queue) return "many of the old objects are released as well: it may be filling up"
  } else if (depart) {
    const floor = floorTrend(observation)
    if (floor.rising && floor.lastPerSecond < (1 - limits.many) * floor.perSecond) {
      return "many of the old objects are released as well, and the heap grows more slowly: it may come to rest"
    }
  }
  if (wholeNet(observation, cause.turnover.age) < limits.most * net(cause.turnover.late)) {
    return "another call site lost as much memory; V8 may have recompiled this function"
  }
  return floorObjection(observation, bytes)
}

/**
 * Net arrivals of sampled objects of the whole program in the late half. Departures of objects that were born during start-up do not
 * count: a program releases much that it needed once.
 */
const wholeNet = (observation: Observation, age: number): number => {
  const window = memoryWindow(observation)
  return Turnover.netOf(observation.allocations.whole.all(), window, age, window.start + age)
}

/** Whether the heap has grown at this speed since the samples ended. */
const continues = (observation: Observation, bytesPerSecond: number): boolean => {
  const floors = observation.series("heap.floor")
  const { end } = memoryWindow(observation)
  const then = floors.findLast(({ t }) => t <= end)
  const now = floors.at(-1)
  return then !== undefined && now !== undefined && now.t > then.t
    && now.value - then.value >= limits.most * bytesPerSecond * (now.t - then.t) / 1000
}

/** The place of a library's own allocations is that of the program whose memory grows with it, if there is one. */
const placeOf = (observation: Observation, cause: Judged): Named => {
  const allocator = allocatorOf(observation, cause)
  const companion = allocator.library === undefined ? undefined : growingPlace(observation)
  return { ...allocator, ...companion, library: allocator.library }
}

/** Finalizers that accumulate in a scope that stays open. */
const finalizersOf = (observation: Observation): ReadonlyArray<Evidence> => {
  const [pile] = judgeSites(observation, 0, ["finalizers"])
  return pile?.turnover._tag === "growing"
    ? [{
      label: "finalizers",
      text: `${pile.turnover.late.arrivals} of the sampled objects are finalizers that a scope keeps`
    }]
    : []
}

/** Waiting times, where it is a queue. */
const waiting = ({ queue, sojourn }: Turnover.Turnover): ReadonlyArray<Evidence> =>
  queue && sojourn !== undefined
    ? [{
      label: "waiting",
      text: `time in the queue grew from ${Math.round(sojourn.first / 1000)} s to ${
        Math.round(sojourn.last / 1000)
      } s: items arrive faster than they are consumed`
    }]
    : []

const advice = ({ queue }: Turnover.Turnover, at: Site, finalizers: boolean): string =>
  finalizers
    ? "Something is acquired again and again in a scope that stays open, and each time adds a finalizer to it. Give each piece of work "
      + "a scope of its own (Effect.scoped around it), or close what is not needed any more."
    : queue
    ? "Their consumer is too slow. Give the queue a capacity, so that the producer waits too (Queue.bounded, "
      + "Stream.buffer with a capacity) or drops (Queue.sliding), or let more than one consumer empty it."
    : `Look at what ${at.name} adds to, and what removes it again. Bound a container (Cache with capacity, Queue.bounded, a TTL), `
      + "and release listeners, finalizers and requests with the scope of their work (Effect.acquireRelease)."

const findingOf = (observation: Observation, cause: Judged, also: ReadonlyArray<Judged>): Finding => {
  const { site, turnover } = cause
  const { chain, inner, library, site: at } = placeOf(observation, cause)
  const perSecond = bytesPerSecond(cause)
  const finalizers = finalizersOf(observation)
  const by = inner === undefined || inner.file === at.file ? "" : `, by ${libraryName(inner)}`
  const label = library === undefined || library === libraryName(at)
    ? library ?? describeSite(at)
    : `${library}, together with ${describeSite(at)},`
  return Findings.make({
    kind: "memory-growth",
    rule: name,
    decided: Findings.decidedBy(turnover),
    summary: turnover.queue
      ? `a queue of objects from ${label} grows by ${size(perSecond)}/s`
      : `memory allocated in ${label} is not released: it grows by ${size(perSecond)}/s`,
    site: at,
    chain,
    count: site.lives.living(),
    bytes: Math.round(site.bytes),
    growth: { perSecond, unit: "bytes" },
    survivors: survivors(site.lives.all(), memoryWindow(observation)),
    evidence: [
      {
        label: "survivors",
        text: `in the late half of the run ${turnover.late.arrivals} sampled objects reached an age of ${
          Math.ceil(turnover.age / 1000)
        } s, and ${turnover.late.departures} objects older than that were released`
      },
      ...by === "" && library === undefined
        ? []
        : [{ label: "allocated", text: `in ${library ?? describeSite(at)}${by}` }],
      ...waiting(turnover),
      ...finalizers,
      ...also.slice(0, mostOthers).map((other) => ({
        label: "also",
        text: `memory allocated in ${describeSite(siteOf(other.site.frames[0]!))} grows by ${
          size(bytesPerSecond(other))
        }/s: another part of this leak, or another leak`
      }))
    ],
    cannotShow:
      "whether the container has a limit of its own: a cache that is not full yet looks the same, and a longer run distinguishes them.",
    fix: advice(turnover, at, finalizers.length > 0)
  })
}

/** Other growing sites that a finding names. */
const mostOthers = 3

const suspicion = ({ site }: Judged, length: number, why: string): Omit<Suspicion, "rule"> => ({
  what: site.scope === "whole"
    ? "memory of the whole program grows"
    : `memory allocated in ${describeSite(siteOf(site.frames[0]!))} grows`,
  why,
  wouldTake: LeakRule.runOf(2 * length)
})
