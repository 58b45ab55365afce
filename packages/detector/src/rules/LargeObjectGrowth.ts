/** Single objects that get larger: a set of numbers, an array that is copied at each change, a text that is appended to. */
import * as Findings from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { AllocationSite } from "../observation/AllocationSites.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import { limits } from "../statistics/limits.ts"
import * as Minima from "../statistics/Minima.ts"
import { lateOf, lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { allocatorOf, fewestReadings, floorObjection, memoryWindow } from "./evidence/MemorySites.ts"
import { doubtOf, doubtOfDoubling, trafficRises } from "./evidence/Traffic.ts"

const name = "LargeObjectGrowth"

/**
 * Only a few of such objects are old at any time, because each is replaced by a larger one: their number does not grow, but their bytes do.
 * Hardly a large object escapes the samples, so the sum of their bytes is known at each reading, for the whole program and for each site.
 * Its {@link Minima} are judged like those of buffers. An object that grows by doubling takes longer and longer from one step to the next,
 * so its minima do not rise; but each time twice as much time has passed, it is twice as large. That alone is not a finding.
 */
export const LargeObjectGrowth = LeakRule.make({
  name,
  explainedBy: { kinds: ["fiber-growth", "abandoned-fibers", "memory-growth"], where: "anywhere" },
  find: (observation) => {
    const { allocations } = observation
    if (allocations.readings.length < fewestReadings) return {}
    const whole = growthOf(observation, [...allocations.sites.values()].find(({ scope }) => scope === "whole"))
    if (whole === undefined) return {}
    const grown = [...allocations.sites.values()].flatMap((site) => {
      const growth = site.scope === "program" || site.scope === "library" ? growthOf(observation, site) : undefined
      return growth === undefined ? [] : [{ site, growth }]
    })
    const cause = innermost(grown)
    // Objects that one function releases and another takes over are not growth.
    if (cause === undefined || cause.growth.grown < limits.most * whole.grown) return {}
    const { growth, site } = cause
    const doubt = growth.doubt ?? whole.doubt ?? floorObjection(observation, growth.perSecond)
    return doubt === undefined ? { findings: [findingOf(observation, site, growth)] } : {
      suspicions: [{
        what: `large objects allocated in ${describeSite(siteOf(site.frames[0]!))} grew by ${size(growth.grown)}`,
        why: doubt,
        wouldTake: LeakRule.runOf(2 * lengthOf(memoryWindow(observation)))
      }]
    }
  }
})

interface Growth extends Omit<Minima.Rise, "_tag"> {
  readonly doubt: string | undefined
}

/** The growth of the large objects of a site, if they grow. */
const growthOf = (observation: Observation, site: AllocationSite | undefined): Growth | undefined => {
  const points = site?.large?.points() ?? []
  const window = memoryWindow(observation)
  const { end, start } = lateOf(window)
  const readings = observation.allocations.readings.filter((t) => t >= start).length
  const parts = Math.min(limits.parts, Math.floor(readings / limits.readings))
  const rise = Minima.judge(Minima.inParts(points, { start, end: end + 1 }, parts), limits.programBytes)
  if (rise._tag !== "steady") return { ...rise, doubt: doubtOf(rise, trafficRises(observation)) }
  const doubling = Minima.doubling(points, window, limits.programBytes)
  return doubling === undefined ? undefined : { ...doubling, doubt: doubtOfDoubling }
}

/** The innermost of the sites that grow by most of what the widest does. */
const innermost = <A extends { readonly site: AllocationSite; readonly growth: Growth }>(
  grown: ReadonlyArray<A>
): A | undefined => {
  const widest = Math.max(...grown.map(({ growth }) => growth.grown))
  return grown.filter(({ growth }) => growth.grown > limits.most * widest)
    .reduce<A | undefined>(
      (best, one) => (best === undefined || one.site.depth < best.site.depth ? one : best),
      undefined
    )
}

const findingOf = (observation: Observation, site: AllocationSite, { grown, lows, perSecond, z }: Growth): Finding => {
  const { chain, site: at } = allocatorOf(observation, { site })
  return Findings.make({
    kind: "memory-growth",
    rule: name,
    decided: Findings.decidedBy({ row: "minima", z }),
    summary: `objects allocated in ${describeSite(at)} get larger: ${size(60 * perSecond)} more each minute`,
    site: at,
    chain,
    count: site.lives.living(),
    bytes: Math.round(grown),
    growth: { perSecond, unit: "bytes" },
    evidence: [{
      label: "minima",
      text:
        `of each ${limits.readings} readings of the heap in the late two thirds of the run, the fewest bytes in large objects rose from ${
          size(lows[0]!.value)
        } to ${size(lows.at(-1)!.value)}`
    }],
    cannotShow:
      "the contents, and whether there is an end: a collection that fills up looks the same until it is full.",
    fix:
      `Look for a collection, an array or a text at ${at.name} that is only added to: keep the newest part of it, a sum, or nothing.`
  })
}
