/** Single objects that get larger and larger: a set of numbers, an array that is copied at each change, a text that is appended to. */
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { AllocationSite } from "../observation/AllocationSites.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import * as Lows from "../statistics/Minima.ts"
import { lateOf, lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { allocatorOf, codeBytes, fewestReadings, floorObjection, memoryWindow } from "./evidence/MemorySites.ts"
import { doubtOf, doubtOfDoubling, trafficRises } from "./evidence/Traffic.ts"

const name = "LargeObjectGrowth"

/**
 * **Details**
 *
 * Old ones of these are few at any time: each is thrown away when it has become too small, so nothing piles up but bytes. Hardly a large
 * object escapes the samples, so their sum is known at each reading, for the whole program and for each site, and its {@link Lows} are
 * judged, as those of buffers are. What grows by doubling takes ever longer from one step to the next and has no lows that rise; but
 * each time twice as much time has passed, it has become twice as large. That alone makes no finding.
 */
export const LargeObjectGrowth: LeakRule = {
  name,
  check: (observation) => {
    const { allocations } = observation
    if (allocations.readings.length < fewestReadings) return ok
    const whole = grows(observation, [...allocations.sites.values()].find(({ scope }) => scope === "whole"))
    if (whole === undefined) return ok
    const grown = [...allocations.sites.values()].flatMap((site) => {
      const growth = site.scope === "program" || site.scope === "library" ? grows(observation, site) : undefined
      return growth === undefined ? [] : [{ site, growth }]
    })
    const culprit = innermost(grown)
    // What one function lets go of and another takes over is no growth.
    if (culprit === undefined || culprit.growth.grown < most * whole.grown) return ok
    const { growth, site } = culprit
    const doubt = growth.doubt ?? whole.doubt ?? floorObjection(observation, growth.perSecond)
    return doubt === undefined ? judgement([finding(observation, site, growth)], []) : judgement([], [{
      rule: name,
      what: `large objects allocated in ${describeSite(siteOf(site.frames[0]!))} grew by ${size(growth.grown)}`,
      why: doubt,
      wouldTake: `a run of ${Math.ceil(2 * lengthOf(memoryWindow(observation)) / 1000)} s`
    }])
  }
}

interface Growth extends Omit<Lows.Rise, "_tag"> {
  readonly doubt: string | undefined
}

/** Readings of which the lowest counts: what was just taken may be work under way. */
const readingsEach = 2

const mostParts = 40

/** How the large objects of a site grow, if they do. */
const grows = (observation: Observation, site: AllocationSite | undefined): Growth | undefined => {
  const points = site?.large?.points() ?? []
  const window = memoryWindow(observation)
  const { end, start } = lateOf(window)
  const readings = observation.allocations.readings.filter((t) => t >= start).length
  const parts = Math.min(mostParts, Math.floor(readings / readingsEach))
  const rise = Lows.judge(Lows.inParts(points, { start, end: end + 1 }, parts), codeBytes)
  if (rise._tag !== "steady") return { ...rise, doubt: doubtOf(rise, trafficRises(observation)) }
  const doubling = Lows.doubling(points, window, codeBytes)
  return doubling === undefined ? undefined : { ...doubling, doubt: doubtOfDoubling }
}

/** The innermost of those that grow by most of what the widest does. */
const innermost = <A extends { readonly site: AllocationSite; readonly growth: Growth }>(
  grown: ReadonlyArray<A>
): A | undefined => {
  const widest = Math.max(...grown.map(({ growth }) => growth.grown))
  return grown.filter(({ growth }) => growth.grown > most * widest)
    .reduce<A | undefined>(
      (best, one) => (best === undefined || one.site.depth < best.site.depth ? one : best),
      undefined
    )
}

const most = 0.5

const finding = (observation: Observation, site: AllocationSite, { grown, lows, perSecond, z }: Growth): Finding => {
  const { chain, site: at } = allocatorOf(observation, { site })
  return {
    kind: "memory-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(z),
    summary: `what is allocated in ${describeSite(at)} gets larger: ${size(60 * perSecond)} more each minute`,
    site: at,
    chain,
    waits: [],
    count: site.lives.living(),
    bytes: Math.round(grown),
    growth: { perSecond, unit: "bytes" },
    survivors: [],
    evidence: [{
      label: "lows",
      text:
        `of each ${readingsEach} readings of the heap in the late two thirds, the fewest bytes in large objects rose from ${
          size(lows[0]!.value)
        } to ${size(lows.at(-1)!.value)}`
    }],
    cannotShow:
      "What is in them, and whether it has an end: a collection that fills up looks the same until it is full.",
    fix:
      `Look for a collection, an array or a text at ${at.name} that is only ever added to: keep the newest of it, a sum, or nothing.`,
    docs: docsOf("memory-growth"),
    fingerprint: fingerprint("memory-growth", at),
    pid: observation.hello?.pid ?? 0
  }
}
