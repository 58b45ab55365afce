/** Memory that stays: below some function ever more objects survive, and hardly any of the old ones dies. */
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Evidence, Finding, Site } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite, libraryName, siteOf } from "../places/Site.ts"
import { survivors } from "../statistics/Lifetimes.ts"
import { okAfterMs } from "../statistics/minimumObservation.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf, net } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { floorTrend } from "./evidence/HeapFloor.ts"
import {
  allocatorOf,
  codeBytes,
  culprits,
  fewestReadings,
  floorObjection,
  growingPlace,
  halfway,
  judgeSites,
  leastGrowth,
  manyOfThemGo,
  memoryWindow,
  mostThatGo,
  others
} from "./evidence/MemorySites.ts"
import type { Judged, Named } from "./evidence/MemorySites.ts"

const name = "SurvivorGrowth"

export const SurvivorGrowth: LeakRule = {
  name,
  check: (observation) => {
    if (observation.allocations.readings.length < fewestReadings) return ok
    const judged = judgeSites(observation, leastGrowth(memoryWindow(observation)), ["program", "library", "whole"])
    const grown = culprits(observation, judged)
    const suspects = grown.length > 0 ? grown : fallingBehind(observation, judged)
    const doubts = suspects.map((suspect) => objection(observation, suspect))
    const culprit = suspects[doubts.indexOf(undefined)]
    if (culprit !== undefined) {
      return judgement([finding(observation, culprit, others(observation, judged, culprit))], [])
    }
    const length = lengthOf(memoryWindow(observation))
    if (suspects[0] !== undefined) return judgement([], [suspicion(suspects[0], length, doubts[0]!)])
    const unclear = judged.find(({ site, turnover }) => turnover._tag === "unclear" && site.scope !== "library")
    return unclear === undefined ? ok : judgement([], [suspicion(unclear, length, unclear.turnover.why)])
  }
}

/**
 * A queue with a slow consumer, of which the samples alone cannot tell because its oldest go, many at a time: what is left raises the
 * heap floor, on and on, by as much.
 */
const fallingBehind = (observation: Observation, judged: ReadonlyArray<Judged>): ReadonlyArray<Judged> => {
  const suspect = judged.find(({ site, turnover }) => turnover.behind && site.scope === "program")
  if (suspect === undefined || observation.durationMs < twiceOk) return []
  const { perSecond, rising } = floorTrend(observation)
  const late = lengthOf(memoryWindow(observation)) / 2 / 1000
  const bytes = bytesPerSecond(suspect)
  const agrees = perSecond >= halfway * bytes && perSecond <= bytes / halfway
  return rising && agrees && perSecond * late >= codeBytes ? [suspect] : []
}

/** Milliseconds: in less a warm-up raises the floor as well, and a container that keeps the last few of each kind is not full yet. */
const twiceOk = 2 * okAfterMs

/** The same in a run in which nothing could be called ok: of a container that is about to be full hardly any goes at first. */
const mostThatGoEarly = 0.1

const bytesPerSecond = ({ bytesEach, turnover }: Judged): number => turnover.perSecond * bytesEach

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
  if (wholeNet(observation, culprit.turnover.age) < halfway * net(culprit.turnover.late)) {
    return "as much goes elsewhere: V8 may have compiled it anew, under another name"
  }
  return floorObjection(observation, bytes)
}

/**
 * How many more sampled objects of the whole program got old than went in the late half. What was born while it started does not count
 * among those that go: a program lets go of much that it needed once.
 */
const wholeNet = (observation: Observation, age: number): number => {
  const window = memoryWindow(observation)
  return Turnover.netOf(observation.allocations.whole.all(), window, age, window.start + age)
}

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

const finding = (observation: Observation, culprit: Judged, also: ReadonlyArray<Judged>): Finding => {
  const { site, turnover } = culprit
  const { chain, inner, library, site: at } = placeOf(observation, culprit)
  const window = memoryWindow(observation)
  const perSecond = bytesPerSecond(culprit)
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
    summary: `memory allocated in ${label} stays: ${size(perSecond)}/s more`,
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
      ...finalizers,
      ...also.slice(0, mostOthers).map((other) => ({
        label: "also",
        text: `memory allocated in ${describeSite(siteOf(other.site.frames[0]!))} stays, ${
          size(bytesPerSecond(other))
        }/s more: another part of it, or another leak`
      }))
    ],
    cannotShow:
      "What keeps them: only where they were allocated. A container that is still filling up looks the same until it is full.",
    fix: advice(turnover, at, finalizers.length > 0),
    docs: docsOf("memory-growth"),
    fingerprint: fingerprint("memory-growth", at),
    pid: observation.hello?.pid ?? 0
  }
}

/** Of which the finding tells. */
const mostOthers = 3

const suspicion = ({ site }: Judged, length: number, why: string): Suspicion => ({
  rule: name,
  what: site.scope === "whole"
    ? "memory of the whole program grows"
    : `memory allocated in ${describeSite(siteOf(site.frames[0]!))} grows`,
  why,
  wouldTake: `a run of ${Math.ceil(2 * length / 1000)} s`
})
