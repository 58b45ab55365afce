/** The place that names the fibers of a fork site. */
import type { Place } from "../agent/Protocol.ts"
import type { FiberSiteRecord } from "./Observation.ts"

/** The place that names a site: the fork if it is known, else the code that runs, else the waiting place, else a known fork line. */
export const placeOfSite = (site: FiberSiteRecord): Place | undefined =>
  site.fork ?? site.runs ?? site.waiting[0]?.place ?? lineOf(site, ({ lives }) => lives.living())

/** The fork line with the highest `count`, among the lines that are known. */
export const lineOf = (
  { lines }: FiberSiteRecord,
  count: (line: FiberSiteRecord) => number
): Place | undefined => {
  const [most] = [...lines.values()].filter((line) => count(line) > 0).sort((a, b) => count(b) - count(a))
  return most?.fork
}
