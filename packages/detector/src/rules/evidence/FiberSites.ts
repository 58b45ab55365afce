/**
 * The fibers of each fork site: how old is old there, and whether old ones pile up.
 *
 * What one function forks may run different things, so each site is judged alone, and all sites of one fork together.
 */
import type { Place } from "../../agent/Protocol.ts"
import type { Finding } from "../../Finding.ts"
import type { Suspicion } from "../../LeakRule.ts"
import type { FiberSiteRecord, Observation } from "../../observation/Observation.ts"
import { placeOfSite } from "../../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../../places/Site.ts"
import type { Site } from "../../places/Site.ts"
import type { Life } from "../../statistics/Lifetimes.ts"
import { limits } from "../../statistics/limits.ts"
import * as Turnover from "../../statistics/Turnover.ts"
import type { Window } from "../../statistics/Window.ts"
import { lengthOf } from "../../statistics/Window.ts"
import { trafficRises, workOf } from "./Traffic.ts"

/** Milliseconds: what is younger may simply be at work. */
const youngest = 3000

/** Milliseconds after which each fiber that lives has been told. */
const tenured = 2000

/** Three of which none ended are worth a longer look: fibers are counted, not sampled. */
export const suspicious = 3

/** Old is who is older by this than nearly all that ended. */
const margin = 1.25

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
 */
export const ageOf = (sites: ReadonlyArray<FiberSiteRecord>, window: Window): number => {
  const lives: Array<{ readonly life: number; readonly count: number }> = []
  let dead = 0
  for (const { born, count, died } of livesOf(sites)) {
    if (died === Infinity || born === -Infinity) continue
    lives.push({ life: died - born, count })
    dead += count
  }
  let quantile = 0
  // A few are no statistic, unless each of them took most of the run: long work looks like that.
  if (dead >= 5 || lives.every(({ life }) => life > lengthOf(window) / 2)) {
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

const leastAge = (window: Window): number => Math.max(youngest, lengthOf(window) / 8)

/** What is said of the sites of each fork. What one function forks may run different things: each is judged alone, and all together. */
export const judgeAll = function*(observation: Observation): Iterable<ReadonlyArray<Judged>> {
  const traffic = trafficOf(observation)
  for (const sites of byFork(observation.sites.values())) {
    const groups = sites.length > 1 ? [...sites.map((site) => [site]), sites] : [sites]
    yield groups.map((group) => judgeGroup(group, observation.window, traffic))
  }
}

export const trafficOf = (observation: Observation): Traffic => ({
  steadyTraffic: !trafficRises(observation),
  work: workOf(observation)
})

/**
 * Where most of the fibers were forked that may be piling up, though not surely enough for a finding: for findings of which something
 * else is the proof.
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

export const living = (sites: ReadonlyArray<FiberSiteRecord>): number =>
  sites.reduce((sum, { lives }) => sum + lives.living(), 0)

export const livesOf = function*(sites: ReadonlyArray<FiberSiteRecord>): Iterable<Life> {
  for (const { lives } of sites) yield* lives.all()
}

/** A suspicion, of whatever rule asks. */
export type Doubt = Omit<Suspicion, "rule">

export interface Judged {
  readonly group: ReadonlyArray<FiberSiteRecord>
  readonly verdict?: Turnover.Turnover
  readonly doubt?: Doubt
  /** The run was too short to know how long they live. */
  readonly unknownLife?: boolean
}

export const judgeGroup = (group: ReadonlyArray<FiberSiteRecord>, window: Window, traffic: Traffic): Judged => {
  if (living(group) < suspicious) return { group }
  const length = lengthOf(window)
  const doubted = (verdict: Turnover.Turnover): Judged => ({
    group,
    verdict,
    doubt: unclear(group, verdict, length)
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
      : { group, doubt: asleep(group, timer), unknownLife: true }
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
  return outlived > limits.arrivals ? { group, doubt: tooLong(group, age), unknownLife: true } : { group }
}

/** The fibers of which the run was too short to know how long they live, and why: what belongs to them lives as long as they do. */
export const ofUnknownLife = (observation: Observation): {
  readonly count: number
  readonly doubt: Doubt
  /** Of each of their sites. */
  readonly places: ReadonlyArray<Pick<Finding, "site" | "chain" | "waits">>
} | undefined => {
  const [most] = [...judgeAll(observation)].flat()
    .flatMap(({ doubt, group, unknownLife }) =>
      unknownLife === true && doubt !== undefined ? [{ group, count: living(group), doubt }] : []
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

export const oldNow = (sites: ReadonlyArray<FiberSiteRecord>, { end }: Window, age: number): number => {
  let old = 0
  for (const { born, count, died } of livesOf(sites)) if (died === Infinity && born < end - age) old += count
  return old
}

const unclear = (sites: ReadonlyArray<FiberSiteRecord>, turnover: Turnover.Turnover, length: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: turnover.why,
  wouldTake: `a run of ${seconds(2 * length)}`
})

const tooLong = (sites: ReadonlyArray<FiberSiteRecord>, age: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: `fibers of this site take up to ${
    seconds(age / margin)
  } to end, and the run was not long enough to see older ones come and go`,
  wouldTake: `a run of ${seconds(age * 4)}`
})

const asleep = (sites: ReadonlyArray<FiberSiteRecord>, timer: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, ever more of them`,
  why: `each waits for a timer of ${seconds(timer)}, and the run was not long enough to see them end`,
  wouldTake: `a run of ${seconds(3 * timer)}`
})

const nobody: Place = { name: "(no Effect.fn or span)" }

export const nameOf = (site: FiberSiteRecord): Site => siteOf(placeOfSite(site) ?? nobody)

export const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`
