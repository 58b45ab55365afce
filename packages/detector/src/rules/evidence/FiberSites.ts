/**
 * The fibers of each fork site: how old is old there, and whether old ones pile up.
 *
 * One function may fork different work, so each site is judged alone, and all sites of one fork together.
 */
import type { Place } from "../../agent/Protocol.ts"
import type { Finding } from "../../Finding.ts"
import { runOf } from "../../LeakRule.ts"
import type { Suspicion } from "../../LeakRule.ts"
import type { FiberSiteRecord, Observation } from "../../observation/Observation.ts"
import { placeOfSite } from "../../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../../places/Site.ts"
import type { Site } from "../../places/Site.ts"
import type { Lifetime } from "../../statistics/Lifetimes.ts"
import { limits } from "../../statistics/limits.ts"
import * as Turnover from "../../statistics/Turnover.ts"
import type { Options, Window } from "../../statistics/Window.ts"
import { lengthOf } from "../../statistics/Window.ts"
import { trafficRises, workOf } from "./Traffic.ts"

/** Milliseconds after which the agent has reported each living fiber. Derived: it waits for one second, and its ticks are one apart. */
const reportedAfter = 2000

/** A fiber is old when it exceeds nearly all lifetimes at its site by a quarter. */
const margin = (): number => 1 + limits.many

/** The age, in milliseconds, at which a fiber of these sites is old: older than nearly all that ended there. Slow work is not a leak. */
export const ageOf = (sites: ReadonlyArray<FiberSiteRecord>, window: Window): number => {
  const ended: Array<{ readonly life: number; readonly count: number }> = []
  let dead = 0
  for (const { born, count, died } of lifetimesOf(sites)) {
    if (died === Infinity || born === -Infinity) continue
    ended.push({ life: died - born, count })
    dead += count
  }
  // A few are no statistic, unless each of them took most of the run: that is what slow work looks like.
  if (dead < limits.points && ended.some(({ life }) => life <= limits.most * lengthOf(window))) return leastAge(window)
  ended.sort((a, b) => a.life - b.life)
  let below = 0
  const nearlyAll = ended.find(({ count }) => (below += count) >= (1 - limits.few) * dead)
  return Math.max(leastAge(window), margin() * (nearlyAll?.life ?? 0))
}

const leastAge = (window: Window): number => Math.max(limits.youngest, lengthOf(window) / limits.ageParts)

/** The classification of the sites of each fork. One function may fork different work, so each site is judged alone, and all together. */
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

/** The place at which most of the fibers were forked that may be accumulating: for findings that have other proof. */
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

/** Sites by their fork. Sites with an unknown fork stay apart. */
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

export const lifetimesOf = function*(sites: ReadonlyArray<FiberSiteRecord>): Iterable<Lifetime> {
  for (const { lives } of sites) yield* lives.all()
}

/** A suspicion of the rule that asks. */
export type Doubt = Omit<Suspicion, "rule">

export interface Judged {
  readonly group: ReadonlyArray<FiberSiteRecord>
  readonly verdict?: Turnover.Turnover
  readonly doubt?: Doubt
  /** Their lifetime is longer than the run can show. */
  readonly unknownLife?: boolean
}

export const judgeGroup = (group: ReadonlyArray<FiberSiteRecord>, window: Window, traffic: Traffic): Judged => {
  if (living(group) < limits.fibers) return { group }
  const length = lengthOf(window)
  const judge = (age: number, more: Options) => Turnover.judge(lifetimesOf(group), window, age, { ...traffic, ...more })
  const doubted = (verdict: Turnover.Turnover): Judged => ({ group, verdict, doubt: unclear(group, verdict, length) })
  const known = ageOf(group, window)
  const timer = timerOf(group)
  const age = Math.max(known, margin() * timer)
  // Fibers of this age cannot arrive in the time that is left.
  const late = age > limits.most * length
  if (late && known < age) {
    const soFar = judge(Math.min(known, limits.most * length), { suspicious: limits.fibers })
    return soFar._tag === "steady"
      ? { group, verdict: soFar }
      : { group, doubt: asleep(group, timer), unknownLife: true }
  }
  const verdict = late ? undefined : judge(age, { suspicious: limits.fibers })
  if (verdict?._tag === "growing") return { group, verdict }
  // Fibers in a line that gets longer all end, later and later, so none is older than those that have ended.
  const lines = [leastAge(window), limits.youngest, reportedAfter]
    .map((old) => judge(old, { youngest: Math.min(old, limits.youngest) }))
    .filter(({ queue }) => queue)
  const line = lines.find(({ _tag }) => _tag === "growing") ?? lines[0]
  if (line !== undefined) return line._tag === "growing" ? { group, verdict: line } : doubted(line)
  if (verdict !== undefined) return verdict._tag === "unclear" ? doubted(verdict) : { group, verdict }
  // Fibers that outlived nearly all that ended may never end.
  const outlived = oldNow(group, window, Math.max(limits.youngest, age / margin()))
  return outlived > limits.arrivals ? { group, doubt: tooLong(group, age), unknownLife: true } : { group }
}

/** The fibers whose lifetime is longer than the run can show, and why. Anything that belongs to them lives as long as they do. */
export const ofUnknownLife = (observation: Observation): {
  readonly count: number
  readonly doubt: Doubt
  /** The places of each of their sites. */
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

/** Milliseconds after which timers wake the fibers of these sites; 0 where that is unknown or takes too long. */
const timerOf = (group: ReadonlyArray<FiberSiteRecord>): number =>
  Math.max(...group.map(({ timer }) => (timer <= limits.longestTimer ? timer : 0)))

export const oldNow = (sites: ReadonlyArray<FiberSiteRecord>, { end }: Window, age: number): number => {
  let old = 0
  for (const { born, count, died } of lifetimesOf(sites)) if (died === Infinity && born < end - age) old += count
  return old
}

const unclear = (sites: ReadonlyArray<FiberSiteRecord>, turnover: Turnover.Turnover, length: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: turnover.why,
  wouldTake: runOf(2 * length)
})

const tooLong = (sites: ReadonlyArray<FiberSiteRecord>, age: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live`,
  why: `fibers of this site take up to ${
    seconds(age / margin())
  } to end, and the run was too short to see older ones come and go`,
  wouldTake: runOf(4 * age)
})

const asleep = (sites: ReadonlyArray<FiberSiteRecord>, timer: number): Doubt => ({
  what: `${living(sites)} fibers of ${describeSite(nameOf(sites[0]!))} live, and their number rises`,
  why: `each waits for a timer of ${seconds(timer)}, and the run was too short to see them end`,
  wouldTake: runOf(3 * timer)
})

export const nobody: Place = { name: "(no Effect.fn or span)" }

export const nameOf = (site: FiberSiteRecord): Site => siteOf(placeOfSite(site) ?? nobody)

export const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`
