/** The place that names the fibers of a fork site. */
import type { Place } from "../agent/Protocol.ts"
import type { FiberSiteRecord } from "./Observation.ts"

/** What names a site: the fork where it is known, else what runs, else where it waits. */
export const placeOfSite = (site: FiberSiteRecord): Place | undefined =>
  site.fork ?? site.runs ?? site.waiting[0]?.place ?? lineOf(site, ({ lives }) => lives.living())

/** The line at which most of a site's fibers were forked, of those of which it was looked for; most by `count`. */
export const lineOf = (
  { lines }: FiberSiteRecord,
  count: (line: FiberSiteRecord) => number
): Place | undefined => {
  const [most] = [...lines.values()].filter((line) => count(line) > 0).sort((a, b) => count(b) - count(a))
  return most?.fork
}
