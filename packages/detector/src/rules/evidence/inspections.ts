/** The questions that are worth asking the agent about sites that may leak. */
import type { Inspect, Lines } from "../../agent/Protocol.ts"
import type { FiberSiteRecord, Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import { ageOf, oldNow } from "./FiberSites.ts"

/**
 * What is worth asking the agent about sites with enough old or abandoned fibers: where they wait, when nobody has looked yet, and
 * where fibers without a name are forked.
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
  // Where none has many, a few of each may be those of a helper that forks for everybody.
  const most = [...old].sort((a, b) => b[1] - a[1]).filter(([, count], i) => count >= limits.arrivals || i < 3)
  const suspects = new Set(most.map(([site]) => site))
  for (const site of observation.sites.values()) {
    const dropped = site.abandoned.born() >= limits.fibers
    if (!dropped && !suspects.has(site)) continue
    // Abandoned fibers cannot be asked; others of their site, that may be abandoned soon, can.
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

const inspections = 5

/** Fibers of a site that were looked at in vain so often wait in nobody's code but the library's. */
const mostLooks = 3

/** A line that is that of most of so many is that of most, but for one time in a thousand. */
const enoughLines = 20

const knownLines = ({ lines }: FiberSiteRecord): number =>
  [...lines.values()].reduce((sum, { lives }) => sum + lives.born(), 0)
