/**
 * Fibers that pile up: at some fork site old ones go on arriving and do not end.
 *
 * @since 0.1.0
 */
import type { Inspect, Lines, Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding, Site } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import { survivors } from "../Lives.ts"
import type { Life } from "../Lives.ts"
import type { FiberSiteRecord, Observation } from "../Observation.ts"
import { describeSite, siteOf } from "../Site.ts"
import * as Turnover from "../Turnover.ts"
import { growingPlace } from "./MemorySites.ts"
import { trafficRises, workOf } from "./Traffic.ts"

const name = "FiberGrowth"

/** Milliseconds: what is younger may simply be at work. */
const youngest = 3000

/** Milliseconds after which each fiber that lives has been told. */
const tenured = 2000

/** Three of which none ended are worth a longer look: fibers are counted, not sampled. */
const suspicious = 3

/** Old is who is older by this than nearly all that ended. */
const margin = 1.25

/** Fibers that pile up make more of all fibers, by half as many at the least. */
const halfway = 0.5

/** Of a window, to get old in. */
const latest = 0.6

/**
 * Milliseconds: fibers that wait for a timer of at most this length are work that takes long. It is the longest time that node itself
 * gives a request by default, and a run in which such a timer fires twice takes ten minutes. Nobody waits for longer ones to see.
 */
const longestTimer = 300_000

/**
 * How old a fiber of these sites must be to count as old: older than nearly all that ever ended here. Work that takes long is not a
 * leak.
 *
 * @since 0.1.0
 * @category statistics
 */
export const ageOf = (sites: ReadonlyArray<FiberSiteRecord>, window: Turnover.Window): number => {
  const lives: Array<{ readonly life: number; readonly count: number }> = []
  let dead = 0
  for (const { born, count, died } of livesOf(sites)) {
    if (died === Infinity || born === -Infinity) continue
    lives.push({ life: died - born, count })
    dead += count
  }
  let quantile = 0
  // A few are no statistic, unless each of them took most of the run: long work looks like that.
  if (dead >= 5 || lives.every(({ life }) => life > Turnover.lengthOf(window) / 2)) {
    lives.sort((a, b) => a.life - b.life)
    let below = 0
    for (const { count, life } of lives) {
      below += count
      if (below >= 0.95 * dead) {
        quantile = margin * life
        break
      }
    }
  }
  return Math.max(leastAge(window), quantile)
}

const leastAge = (window: Turnover.Window): number => Math.max(youngest, Turnover.lengthOf(window) / 8)

/**
 * @since 0.1.0
 * @category rules
 */
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
      } else suspicions.push(...judged.flatMap(({ suspicion }) => suspicion ?? []).slice(0, 1))
    }
    const everything = () => livesOf([...observation.sites.values()])
    for (const one of growing.splice(0)) {
      const { age, late } = one.turnover
      const whole = Turnover.netOf(everything(), observation.window, age)
      if (whole >= halfway * Turnover.net(late)) growing.push(one)
      else suspicions.push(moved(one.sites, Turnover.lengthOf(observation.window)))
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

/** What is said of the sites of each fork. What one function forks may run different things: each is judged alone, and all together. */
const judgeAll = function*(observation: Observation): Iterable<ReadonlyArray<Judged>> {
  const traffic = trafficOf(observation)
  for (const sites of byFork(observation.sites.values())) {
    const groups = sites.length > 1 ? [...sites.map((site) => [site]), sites] : [sites]
    yield groups.map((group) => judgeGroup(group, observation.window, traffic))
  }
}

const trafficOf = (observation: Observation): Traffic => ({
  steadyTraffic: !trafficRises(observation),
  work: workOf(observation)
})

/**
 * Where most of the fibers were forked that may be piling up, though not surely enough for a finding: for findings of which something
 * else is the proof.
 *
 * @since 0.1.0
 * @category statistics
 */
export const suspectPlace = (observation: Observation): Site | undefined => {
  const [most] = [...judgeAll(observation)].flat()
    .filter(({ verdict }) => verdict !== undefined && verdict._tag !== "steady")
    .sort((a, b) => living(b.group) - living(a.group))
  const [site] = [...most?.group ?? []].sort((a, b) => b.lives.living() - a.lives.living())
  const place = site === undefined ? undefined : placeOfSite(site)
  return place === undefined ? undefined : siteOf(place)
}

interface Traffic {
  readonly steadyTraffic: boolean
  readonly work: (from: number, to: number) => number
}

/** Sites with the same fork, which leak together. */
interface Growing {
  readonly sites: ReadonlyArray<FiberSiteRecord>
  readonly turnover: Turnover.Turnover
}

const samePlace = (a: Place | undefined, b: Place | undefined): boolean =>
  a !== undefined && b !== undefined && a.name === b.name && a.file === b.file && a.line === b.line

/** Sites by their fork; those of which the fork is not known stay apart. */
const byFork = (sites: Iterable<FiberSiteRecord>): Iterable<ReadonlyArray<FiberSiteRecord>> => {
  const groups = new Map<string, Array<FiberSiteRecord>>()
  for (const site of sites) {
    const { fork } = site
    const key = fork === undefined ? `#${site.id}` : `${fork.name} ${fork.file}:${fork.line}:${fork.column}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [site])
    else group.push(site)
  }
  return groups.values()
}

const living = (sites: ReadonlyArray<FiberSiteRecord>): number =>
  sites.reduce((sum, { lives }) => sum + lives.living(), 0)

const livesOf = function*(sites: ReadonlyArray<FiberSiteRecord>): Iterable<Life> {
  for (const { lives } of sites) yield* lives.all()
}

interface Judged {
  readonly group: ReadonlyArray<FiberSiteRecord>
  readonly verdict?: Turnover.Turnover
  readonly suspicion?: Suspicion
  /** The run was too short to know how long they live. */
  readonly unknownLife?: boolean
}

const judgeGroup = (group: ReadonlyArray<FiberSiteRecord>, window: Turnover.Window, traffic: Traffic): Judged => {
  if (living(group) < suspicious) return { group }
  const length = Turnover.lengthOf(window)
  const doubted = (verdict: Turnover.Turnover): Judged => ({
    group,
    verdict,
    suspicion: unclear(group, verdict, length)
  })
  const known = ageOf(group, window)
  const timer = timerOf(group)
  const age = Math.max(known, margin * timer)
  // No time is left to see those arrive that are so old.
  const late = age > latest * length
  if (late && known < age) {
    const soFar = Turnover.judge(livesOf(group), window, Math.min(known, latest * length), { ...traffic, suspicious })
    return soFar._tag === "steady"
      ? { group, verdict: soFar }
      : { group, suspicion: asleep(group, timer), unknownLife: true }
  }
  const verdict = late ? undefined : Turnover.judge(livesOf(group), window, age, { ...traffic, suspicious })
  if (verdict?._tag === "growing") return { group, verdict }
  // Who stands in a line that gets longer takes ever longer to end, and nobody is older than those that have ended.
  const lines = [leastAge(window), youngest, tenured]
    .map((old) => Turnover.judge(livesOf(group), window, old, { ...traffic, youngest: Math.min(old, youngest) }))
    .filter(({ queue }) => queue)
  const line = lines.find(({ _tag }) => _tag === "growing") ?? lines[0]
  if (line !== undefined) return line._tag === "growing" ? { group, verdict: line } : doubted(line)
  if (verdict !== undefined) return verdict._tag === "unclear" ? doubted(verdict) : { group, verdict }
  // But who has outlived nearly all that ended here may never end.
  const outlived = oldNow(group, window, Math.max(youngest, age / margin))
  return outlived > Turnover.limits.arrivals ? { group, suspicion: tooLong(group, age), unknownLife: true } : { group }
}

/**
 * The fibers of which the run was too short to know how long they live, and why: what belongs to them lives as long as they do.
 *
 * @since 0.1.0
 * @category statistics
 */
export const ofUnknownLife = (observation: Observation): {
  readonly count: number
  readonly suspicion: Suspicion
  /** Of each of their sites. */
  readonly places: ReadonlyArray<Pick<Finding, "site" | "chain" | "waits">>
} | undefined => {
  const [most] = [...judgeAll(observation)].flat()
    .flatMap(({ group, suspicion, unknownLife }) =>
      unknownLife === true && suspicion !== undefined ? [{ group, count: living(group), suspicion }] : []
    )
    .sort((a, b) => b.count - a.count)
  return most === undefined ? undefined : {
    ...most,
    places: most.group.map((site) => ({
      site: nameOf(site),
      chain: site.chain.map(siteOf),
      waits: site.waiting.map(({ place }) => siteOf(place))
    }))
  }
}

/** Milliseconds after which timers wake the fibers of these sites, 0 where that is not known or takes longer than anybody waits. */
const timerOf = (group: ReadonlyArray<FiberSiteRecord>): number =>
  Math.max(...group.map(({ timer }) => (timer <= longestTimer ? timer : 0)))

/** Whether fibers were forked by what leaking fibers run: their children (a timeout forks one) live because those do. */
const causedBy = (children: ReadonlyArray<FiberSiteRecord>, parents: ReadonlyArray<FiberSiteRecord>): boolean =>
  children !== parents
  && children.every((child) =>
    parents.some((parent) =>
      parent.fork !== undefined && samePlace(child.fork, parent.runs) &&
      child.chain.some((frame) => [parent.fork, ...parent.chain].some((outer) => samePlace(frame, outer)))
    )
  )

/**
 * What is worth asking the agent about sites with enough old or abandoned fibers: where they wait, when nobody has looked yet, and
 * where fibers without a name are forked.
 *
 * @since 0.1.0
 * @category statistics
 */
export const questions = (observation: Observation): ReadonlyArray<Inspect | Lines> => {
  const { window } = observation
  const out: Array<Inspect | Lines> = []
  let nameless = false
  const old = new Map<FiberSiteRecord, number>()
  for (const site of observation.sites.values()) {
    const count = site.lives.living() < suspicious ? 0 : oldNow([site], window, ageOf([site], window))
    if (count >= suspicious) old.set(site, count)
  }
  // Where none has many, a few of each may be those of a helper that forks for everybody.
  const most = [...old].sort((a, b) => b[1] - a[1]).filter(([, count], i) => count >= Turnover.limits.arrivals || i < 3)
  const suspects = new Set(most.map(([site]) => site))
  for (const site of observation.sites.values()) {
    const dropped = site.abandoned.born() >= suspicious
    if (!dropped && !suspects.has(site)) continue
    // Abandoned fibers cannot be asked; others of their site, that may be abandoned soon, can.
    const somewhere = site.waiting.length > 0
    const look = !somewhere && site.looks < mostLooks && site.lives.living() > 0
    if (look) out.push({ type: "inspect", site: site.id, most: inspections })
    const unnamed = site.fork === undefined && site.runs === undefined
    const many = dropped || (!somewhere && (old.get(site) ?? 0) >= Turnover.limits.arrivals)
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

const oldNow = (sites: ReadonlyArray<FiberSiteRecord>, { end }: Turnover.Window, age: number): number => {
  let old = 0
  for (const { born, count, died } of livesOf(sites)) if (died === Infinity && born < end - age) old += count
  return old
}

/**
 * What names a site: the fork where it is known, else what runs, else where it waits.
 *
 * @since 0.1.0
 * @category statistics
 */
export const placeOfSite = (site: FiberSiteRecord): Place | undefined =>
  site.fork ?? site.runs ?? site.waiting[0]?.place ?? lineOf(site, ({ lives }) => lives.living())

/**
 * The line at which most of a site's fibers were forked, of those of which it was looked for; most by `count`.
 *
 * @since 0.1.0
 * @category statistics
 */
export const lineOf = (
  { lines }: FiberSiteRecord,
  count: (line: FiberSiteRecord) => number
): Place | undefined => {
  const [most] = [...lines.values()].filter((line) => count(line) > 0).sort((a, b) => count(b) - count(a))
  return most?.fork
}

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
  const place = companion?.site ?? siteOf(named ?? nobody)
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

const unclear = (sites: ReadonlyArray<FiberSiteRecord>, turnover: Turnover.Turnover, length: number): Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: turnover.why,
  wouldTake: `a run of ${seconds(2 * length)}`
})

const moved = (sites: ReadonlyArray<FiberSiteRecord>, length: number): Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, ever more of them`,
  why: "as many end elsewhere, so they may only have taken the place of others",
  wouldTake: `a run of ${seconds(2 * length)}`
})

const tooLong = (sites: ReadonlyArray<FiberSiteRecord>, age: number): Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: `fibers of this site take up to ${
    seconds(age / margin)
  } to end, and the run was not long enough to see older ones come and go`,
  wouldTake: `a run of ${seconds(age * 4)}`
})

const asleep = (sites: ReadonlyArray<FiberSiteRecord>, timer: number): Suspicion => ({
  rule: name,
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, ever more of them`,
  why: `each waits for a timer of ${seconds(timer)}, and the run was not long enough to see them end`,
  wouldTake: `a run of ${seconds(3 * timer)}`
})

const nobody: Place = { name: "(no Effect.fn or span)" }

const nameOf = (site: FiberSiteRecord): Site => siteOf(placeOfSite(site) ?? nobody)

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`
