/** The questions that are worth asking the agent about sites that may leak. */
import type { Inspect, Lines } from "../../agent/Protocol.ts"
import type { FiberSiteRecord, Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import { ageOf, oldNow } from "./FiberSites.ts"

/**
 * Questions to the agent about sites with enough old or abandoned fibers: the place where they wait, if it is unknown, and the lines at
 * which unnamed fibers are forked.
 */
export const questions = (observation: Observation): ReadonlyArray<Inspect | Lines> => {
  const { window } = observation
  const out: Array<Inspect | Lines> = []
  let nameless = false
  const old = new Map<FiberSiteRecord, number>()
  for (const site of observation.sites.values()) {
    const count = site.lives.living() < limits.fibers ? 0 : oldNow([site], window, ageOf([site], window))
    if (count >= limits.fibers) old.set(site, count)
  }
  // If no site has many, a few at each may be those of a helper that forks for all of them.
  const most = [...old].sort((a, b) => b[1] - a[1]).filter(([, count], i) => count >= limits.arrivals || i < 3)
  const suspects = new Set(most.map(([site]) => site))
  for (const site of observation.sites.values()) {
    const dropped = site.abandoned.born() >= limits.fibers
    if (!dropped && !suspects.has(site)) continue
    // Abandoned fibers cannot be inspected; others of their site, which may be abandoned soon, can.
    const somewhere = site.waiting.length > 0
    const look = !somewhere && site.looks < mostLooks && site.lives.living() > 0
    if (look) out.push({ type: "inspect", site: site.id, most: inspections })
    const unnamed = site.fork === undefined && site.runs === undefined
    const many = dropped || (!somewhere && (old.get(site) ?? 0) >= limits.arrivals)
    if (unnamed && many && knownLines(site) < enoughLines) nameless = true
  }
  if (nameless) out.push({ type: "lines" })
  return out
}

/** Fibers that one question looks at. A bound: each costs the program some milliseconds, and where most of five wait most wait. */
const inspections = 5

/** Inspections without a result, after which the fibers of a site are known to wait in library code. */
const mostLooks = 3

/** Fibers with known lines: the line of most of 20 is the line of most, except once in a thousand times. */
const enoughLines = 20

const knownLines = ({ lines }: FiberSiteRecord): number =>
  [...lines.values()].reduce((sum, { lives }) => sum + lives.born(), 0)
