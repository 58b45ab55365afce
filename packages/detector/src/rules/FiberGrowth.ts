/** Fibers that pile up: at some fork site old ones go on arriving and do not end. */
import type { Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import type { FiberSiteRecord, Observation } from "../observation/Observation.ts"
import { placeOfSite } from "../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import type { Site } from "../places/Site.ts"
import { survivors } from "../statistics/Lifetimes.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf, net } from "../statistics/Window.ts"
import { judgeAll, judgeGroup, livesOf, living, nameOf, seconds, trafficOf } from "./evidence/FiberSites.ts"
import { growingPlace } from "./evidence/MemorySites.ts"

const name = "FiberGrowth"

/** Fibers that pile up make more of all fibers, by half as many at the least. */
const halfway = 0.5

export const FiberGrowth: LeakRule = {
  name,
  check: (observation) => {
    const growing: Array<Growing> = []
    const suspicions: Array<Suspicion> = []
    for (const judged of judgeAll(observation)) {
      const guilty = judged.filter(({ verdict }) => verdict?._tag === "growing")
      const alone = guilty.filter(({ group }) => group.length === 1)
      const culprits = alone.length > 0 ? alone : guilty
      if (culprits.length > 0) {
        growing.push({
          sites: culprits.flatMap(({ group }) => group),
          turnover: culprits.map(({ verdict }) => verdict!).reduce((a, c) => (c.old > a.old ? c : a))
        })
      } else {suspicions.push(
          ...judged.flatMap(({ doubt }) => doubt ?? []).slice(0, 1).map((doubt) => ({ rule: name, ...doubt }))
        )}
    }
    const everything = () => livesOf([...observation.sites.values()])
    for (const one of growing.splice(0)) {
      const { age, late } = one.turnover
      const whole = Turnover.netOf(everything(), observation.window, age)
      if (whole >= halfway * net(late)) growing.push(one)
      else suspicions.push(moved(one.sites, lengthOf(observation.window)))
    }
    growing.sort((a, c) => living(c.sites) - living(a.sites))
    if (growing.length === 0) {
      // What a helper forks for everybody may be too little at each of them.
      const all = [...observation.sites.values()].filter(({ lives }) => lives.born() > 0)
      const { verdict } = judgeGroup(all, observation.window, trafficOf(observation))
      if (all.length > 1 && verdict?._tag === "growing") growing.push({ sites: all, turnover: verdict })
    }
    const causes = growing.filter((one) => !growing.some((other) => other !== one && causedBy(one.sites, other.sites)))
    return judgement(
      causes.map((one) => finding(observation, one, growing.filter((other) => causedBy(other.sites, one.sites)))),
      suspicions
    )
  }
}

/** Sites with the same fork, which leak together. */
interface Growing {
  readonly sites: ReadonlyArray<FiberSiteRecord>
  readonly turnover: Turnover.Turnover
}

const samePlace = (a: Place | undefined, b: Place | undefined): boolean =>
  a !== undefined && b !== undefined && a.name === b.name && a.file === b.file && a.line === b.line

/** Whether fibers were forked by what leaking fibers run: their children (a timeout forks one) live because those do. */
const causedBy = (children: ReadonlyArray<FiberSiteRecord>, parents: ReadonlyArray<FiberSiteRecord>): boolean =>
  children !== parents
  && children.every((child) =>
    parents.some((parent) =>
      parent.fork !== undefined && samePlace(child.fork, parent.runs) &&
      child.chain.some((frame) => [parent.fork, ...parent.chain].some((outer) => samePlace(frame, outer)))
    )
  )

const finding = (
  observation: Observation,
  { sites, turnover }: Growing,
  children: ReadonlyArray<Growing>
): Finding => {
  const [site] = [...sites].sort((a, b) => b.lives.living() - a.lives.living())
  const waiting = waitingOf(sites)
  const waits = waiting.map(({ place: at }) => siteOf(at))
  const forks = new Set(sites.map(({ fork }) => fork?.name)).size
  // What is forked everywhere has in common where it waits.
  const named = forks > 1 ? waiting[0]?.place ?? placeOfSite(site!) : placeOfSite(site!)
  // Where nothing names them, what is allocated beside them does.
  const companion = named === undefined ? growingPlace(observation) : undefined
  const place = companion?.site ?? (named === undefined ? nameOf(site!) : siteOf(named))
  const count = living(sites)
  const runs = sites.flatMap((one) => one.runs === undefined ? [] : [describeSite(siteOf(one.runs))])
  return {
    kind: "fiber-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(turnover.z),
    summary: forks > 1
      ? `${count} fibers forked in ${forks} places never ended, most of them in ${describeSite(nameOf(site!))}${
        waitAt(undefined, waits)
      }`
      : companion === undefined
      ? `${count} fibers forked in ${describeSite(place)} never ended${waitAt(place, waits)}`
      : `${count} fibers that nothing names never ended, along with what ${describeSite(place)} allocates`,
    site: place,
    chain: companion?.chain ?? site!.chain.map(siteOf),
    waits,
    count,
    bytes: 0,
    growth: { perSecond: turnover.perSecond, unit: "fibers" },
    survivors: survivors(livesOf(sites), observation.window),
    evidence: [
      {
        label: "arrivals and departures",
        text:
          `of the fibers that got older than ${
            seconds(turnover.age)
          }, ${turnover.late.arrivals} arrived in the late half of the run `
          + `and ${turnover.late.departures} ended (z = ${turnover.z.toFixed(1)})`
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
        text: `${waiting[i]!.count} of those looked at wait at ${describeSite(at)}`
      }))
    ],
    cannotShow:
      "Whether they would end later than this run took to look. Fibers that are forked and never start are invisible.",
    fix: fix(site!),
    docs: docsOf("fiber-growth"),
    fingerprint: fingerprint("fiber-growth", place),
    pid: observation.hello?.pid ?? 0
  }
}

/** Where those that were looked at wait, most first. */
const waitingOf = (sites: ReadonlyArray<FiberSiteRecord>): FiberSiteRecord["waiting"] => {
  const places = new Map<string, FiberSiteRecord["waiting"][number]>()
  for (const { count, place } of sites.flatMap(({ waiting }) => waiting)) {
    const key = `${place.file}:${place.line}:${place.column}`
    places.set(key, { place, count: count + (places.get(key)?.count ?? 0) })
  }
  return [...places.values()].sort((a, b) => b.count - a.count)
}

/** Where they wait is often the better half of the story: whoever was to wake them. */
const waitAt = (place: Site | undefined, [first]: ReadonlyArray<Site>): string =>
  first === undefined || (first.file === place?.file && first.line === place?.line)
    ? ""
    : `; they wait at ${describeSite(first)}`

const fix = (site: FiberSiteRecord): string =>
  `${
    site.fork === undefined ? "F" : `In ${nameOf(site).name}: f`
  }ork in a scope that ends with the work (Effect.forkScoped or FiberSet `
  + "instead of forkDetach or runFork), or bound their wait (Effect.timeout)."

const moved = (sites: ReadonlyArray<FiberSiteRecord>, length: number): Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, ever more of them`,
  why: "as many end elsewhere, so they may only have taken the place of others",
  wouldTake: `a run of ${seconds(2 * length)}`
})
