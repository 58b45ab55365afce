/** Fibers that accumulate: at a fork site old ones keep arriving and do not end. */
import type { Place } from "../agent/Protocol.ts"
import * as Findings from "../Finding.ts"
import type { Finding, Site } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { FiberSiteRecord, Observation } from "../observation/Observation.ts"
import { placeOfSite } from "../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import { survivors } from "../statistics/Lifetimes.ts"
import { limits } from "../statistics/limits.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf, net } from "../statistics/Window.ts"
import { judgeAll, judgeGroup, lifetimesOf, living, nameOf, seconds, trafficOf } from "./evidence/FiberSites.ts"
import { growingPlace } from "./evidence/MemorySites.ts"

const name = "FiberGrowth"

export const FiberGrowth = LeakRule.make({
  name,
  find: (observation) => {
    const growing: Array<Growing> = []
    const suspicions: Array<LeakRule.Suspicion> = []
    for (const judged of judgeAll(observation)) {
      const leaking = judged.filter(({ verdict }) => verdict?._tag === "growing")
      const alone = leaking.filter(({ group }) => group.length === 1)
      const causes = alone.length > 0 ? alone : leaking
      if (causes.length > 0) {
        growing.push({
          sites: causes.flatMap(({ group }) => group),
          turnover: causes.map(({ verdict }) => verdict!).reduce((a, c) => (c.old > a.old ? c : a))
        })
      } else {
        const doubt = judged.find((one) => one.doubt !== undefined)?.doubt
        if (doubt !== undefined) suspicions.push({ rule: name, ...doubt })
      }
    }
    // Fibers that accumulate raise the number of all fibers, unless they replace others.
    const all = [...observation.sites.values()].filter(({ lives }) => lives.born() > 0)
    for (const one of growing.splice(0)) {
      const { age, late } = one.turnover
      const whole = Turnover.netOf(lifetimesOf(all), observation.window, age)
      if (whole >= limits.most * net(late)) growing.push(one)
      else suspicions.push(moved(one.sites, lengthOf(observation.window)))
    }
    if (growing.length === 0 && all.length > 1) {
      // A helper that forks for everybody may leak too little at each of its sites.
      const { verdict } = judgeGroup(all, observation.window, trafficOf(observation))
      if (verdict?._tag === "growing") growing.push({ sites: all, turnover: verdict })
    }
    const causes = growing.filter((one) => !growing.some((other) => other !== one && causedBy(one.sites, other.sites)))
    return {
      findings: causes.map((one) =>
        findingOf(observation, one, growing.filter((other) => causedBy(other.sites, one.sites)))
      ),
      suspicions
    }
  }
})

/** Sites with the same fork, which leak together. */
interface Growing {
  readonly sites: ReadonlyArray<FiberSiteRecord>
  readonly turnover: Turnover.Turnover
}

const samePlace = (a: Place | undefined, b: Place | undefined): boolean =>
  a !== undefined && b !== undefined && a.name === b.name && a.file === b.file && a.line === b.line

/** Whether fibers were forked by the code that leaking fibers run: children (a timeout forks one) live because their parents do. */
const causedBy = (children: ReadonlyArray<FiberSiteRecord>, parents: ReadonlyArray<FiberSiteRecord>): boolean =>
  children !== parents
  && children.every((child) =>
    parents.some((parent) =>
      parent.fork !== undefined && samePlace(child.fork, parent.runs) &&
      child.chain.some((frame) => [parent.fork, ...parent.chain].some((outer) => samePlace(frame, outer)))
    )
  )

const findingOf = (
  observation: Observation,
  { sites, turnover }: Growing,
  children: ReadonlyArray<Growing>
): Finding => {
  const [site] = [...sites].sort((a, b) => b.lives.living() - a.lives.living())
  const waiting = waitingOf(sites)
  const waits = waiting.map(({ place: at }) => siteOf(at))
  const forks = new Set(sites.map(({ fork }) => fork?.name)).size
  // Fibers of many forks have their waiting place in common.
  const named = forks > 1 ? waiting[0]?.place ?? placeOfSite(site!) : placeOfSite(site!)
  // Fibers without a name are named by the allocations beside them.
  const companion = named === undefined ? growingPlace(observation) : undefined
  const place = companion?.site ?? (named === undefined ? nameOf(site!) : siteOf(named))
  const count = living(sites)
  // In a line that gets longer, fibers do end.
  const course = turnover.queue || turnover.late.departures > 0 ? "end more slowly than they start" : "have not ended"
  const runs = sites.flatMap((one) => one.runs === undefined ? [] : [describeSite(siteOf(one.runs))])
  return Findings.make({
    kind: "fiber-growth",
    rule: name,
    decided: Findings.decidedBy(turnover),
    summary: forks > 1
      ? `${count} fibers forked in ${forks} places ${course}, most of them in ${describeSite(nameOf(site!))}${
        waitAt(undefined, waits)
      }`
      : companion !== undefined
      ? `${count} unnamed fibers ${course}; they are likely related to allocations in ${describeSite(place)}`
      : named === undefined
      ? `${count} unnamed fibers ${course}; --sites all finds the line that forks them${waitAt(place, waits)}`
      : `${count} fibers forked in ${describeSite(place)} ${course}${waitAt(place, waits)}`,
    site: place,
    chain: companion?.chain ?? site!.chain.map(siteOf),
    waits,
    count,
    growth: { perSecond: turnover.perSecond, unit: "fibers" },
    survivors: survivors(lifetimesOf(sites), observation.window),
    evidence: [
      {
        label: "arrivals and departures",
        text: `in the late half of the run ${turnover.late.arrivals} fibers reached an age of ${
          seconds(turnover.age)
        }, and ${turnover.late.departures} fibers older than that ended`
      },
      ...(runs.length === 0 ? [] : [{ label: "runs", text: `they run ${runs.slice(0, 3).join(", ")}` }]),
      ...children.map((child) => ({
        label: "children",
        text: `they keep ${living(child.sites)} fibers alive that were forked in ${
          describeSite(nameOf(child.sites[0]!))
        }`
      })),
      ...waits.slice(0, 3).map((at, i) => ({
        label: "waits",
        text: `${waiting[i]!.count} of those that were inspected wait at ${describeSite(at)}`
      }))
    ],
    cannotShow: "whether they would end after the run. Fibers that are forked and never start are not counted.",
    fix: turnover.queue
      ? "They wait in a line. Start less at the same time, or let more of them run: bound the queue or the concurrency."
      : fix(site!)
  })
}

/** The waiting places of the fibers that were inspected, the most frequent first. */
const waitingOf = (sites: ReadonlyArray<FiberSiteRecord>): FiberSiteRecord["waiting"] => {
  const places = new Map<string, FiberSiteRecord["waiting"][number]>()
  for (const { count, place } of sites.flatMap(({ waiting }) => waiting)) {
    const key = `${place.file}:${place.line}:${place.column}`
    places.set(key, { place, count: count + (places.get(key)?.count ?? 0) })
  }
  return [...places.values()].sort((a, b) => b.count - a.count)
}

/** The waiting place is often the better half of the story: the code that was to wake them. */
const waitAt = (place: Site | undefined, [first]: ReadonlyArray<Site>): string =>
  first === undefined || (first.file === place?.file && first.line === place?.line)
    ? ""
    : `; they wait at ${describeSite(first)}`

const fix = (site: FiberSiteRecord): string =>
  `${
    site.fork === undefined ? "F" : `In ${nameOf(site).name}: f`
  }ork in a scope that ends with the work (Effect.forkScoped or FiberSet `
  + "instead of forkDetach or runFork), or bound their wait (Effect.timeout)."

const moved = (sites: ReadonlyArray<FiberSiteRecord>, length: number): LeakRule.Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, and their number rises`,
  why: "as many end elsewhere, so they may only replace others",
  wouldTake: LeakRule.runOf(2 * length)
})
