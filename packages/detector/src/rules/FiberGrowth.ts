/**
 * Fibers that pile up: at some fork site old ones go on arriving and do not end.
 *
 * @since 0.1.0
 */
import type { Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding, Site } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import { survivors } from "../Lives.ts"
import type { FiberSiteRecord, Observation } from "../Observation.ts"
import { describeSite, siteOf } from "../Site.ts"
import * as Turnover from "../Turnover.ts"
import { trafficRises } from "./Traffic.ts"

const name = "FiberGrowth"

/** Milliseconds: what is younger may simply be at work. */
const youngest = 3000

/** Three of which none ended are worth a longer look: fibers are counted, not sampled. */
const suspicious = 3

/**
 * How old a fiber of this site must be to count as old: older than nearly all that ever ended here. Work that takes long is not a
 * leak.
 *
 * @since 0.1.0
 * @category statistics
 */
export const ageOf = (site: FiberSiteRecord, window: Turnover.Window): number => {
  const lives: Array<{ readonly life: number; readonly count: number }> = []
  let dead = 0
  for (const { born, count, died } of site.lives.all()) {
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
        quantile = 1.25 * life
        break
      }
    }
  }
  return Math.max(youngest, quantile, Turnover.lengthOf(window) / 8)
}

/**
 * @since 0.1.0
 * @category rules
 */
export const FiberGrowth: LeakRule = {
  name,
  check: (observation) => {
    const { window } = observation
    const length = Turnover.lengthOf(window)
    const steadyTraffic = !trafficRises(observation)
    const findings: Array<Finding> = []
    const suspicions: Array<Suspicion> = []
    for (const site of observation.sites.values()) {
      if (site.lives.living() < suspicious) continue
      const age = ageOf(site, window)
      if (age > 0.6 * length) {
        if (oldNow(site, window, age) > Turnover.limits.arrivals) suspicions.push(tooLong(site, age))
        continue
      }
      const turnover = Turnover.judge(site.lives.all(), window, age, { steadyTraffic, suspicious })
      if (turnover._tag === "growing") findings.push(finding(observation, site, turnover))
      if (turnover._tag === "unclear") suspicions.push(unclear(site, turnover, length))
    }
    findings.sort((a, b) => b.count - a.count)
    return judgement(findings, suspicions)
  }
}

/**
 * The ids of sites with enough old fibers that nobody has looked at yet: it is worth asking where they wait.
 *
 * @since 0.1.0
 * @category statistics
 */
export const suspectSites = (observation: Observation): ReadonlyArray<number> => {
  const { window } = observation
  const out: Array<number> = []
  for (const site of observation.sites.values()) {
    if (site.lives.living() < Turnover.limits.arrivals || site.waiting.length > 0) continue
    if (oldNow(site, window, ageOf(site, window)) >= Turnover.limits.arrivals) out.push(site.id)
  }
  return out
}

const oldNow = (site: FiberSiteRecord, { end }: Turnover.Window, age: number): number => {
  let old = 0
  for (const { born, count, died } of site.lives.all()) if (died === Infinity && born < end - age) old += count
  return old
}

/**
 * What names a site: the fork where it is known, else what runs, else where it waits.
 *
 * @since 0.1.0
 * @category statistics
 */
export const placeOfSite = (site: FiberSiteRecord): Place | undefined =>
  site.fork ?? site.runs ?? site.waiting[0]?.place

const finding = (observation: Observation, site: FiberSiteRecord, turnover: Turnover.Turnover): Finding => {
  const place = nameOf(site)
  const count = site.lives.living()
  const waits = site.waiting.map(({ place: at }) => siteOf(at))
  return {
    kind: "fiber-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(turnover.z),
    summary: `${count} fibers forked in ${describeSite(place)} never ended`,
    site: place,
    chain: site.chain.map(siteOf),
    waits,
    count,
    bytes: 0,
    growth: { perSecond: turnover.perSecond, unit: "fibers" },
    survivors: survivors(site.lives.all(), observation.window),
    evidence: [
      {
        label: "arrivals and departures",
        text:
          `of the fibers that got older than ${
            seconds(turnover.age)
          }, ${turnover.late.arrivals} arrived in the late half of the run `
          + `and ${turnover.late.departures} ended (z = ${turnover.z.toFixed(1)})`
      },
      ...(site.runs === undefined ? [] : [{ label: "runs", text: `they run ${describeSite(siteOf(site.runs))}` }]),
      ...waits.slice(0, 3).map((at, i) => ({
        label: "waits",
        text: `${site.waiting[i]!.count} of those looked at wait at ${describeSite(at)}`
      }))
    ],
    cannotShow:
      "Whether they would end later than this run took to look. Fibers that are forked and never start are invisible.",
    fix: fix(site),
    docs: docsOf("fiber-growth"),
    fingerprint: fingerprint("fiber-growth", place),
    pid: observation.hello?.pid ?? 0
  }
}

const fix = (site: FiberSiteRecord): string =>
  site.fork === undefined
    ? "Fork them in a scope that ends with their work (Effect.forkScoped, Effect.forkIn, FiberSet), or bound their wait (Effect.timeout)."
    : `In ${site.fork.name}: fork in a scope that ends with the work (Effect.forkScoped or FiberSet instead of forkDetach or runFork), `
      + "or bound their wait (Effect.timeout)."

const unclear = (site: FiberSiteRecord, turnover: Turnover.Turnover, length: number): Suspicion => ({
  rule: name,
  what: `${site.lives.living()} fibers of ${describeSite(nameOf(site))} live`,
  why: turnover.why,
  wouldTake: `a run of ${seconds(2 * length)}`
})

const tooLong = (site: FiberSiteRecord, age: number): Suspicion => ({
  rule: name,
  what: `${site.lives.living()} fibers of ${describeSite(nameOf(site))} live`,
  why: `fibers of this site take up to ${
    seconds(age / 1.25)
  } to end, and the run was not long enough to see older ones come and go`,
  wouldTake: `a run of ${seconds(age * 4)}`
})

const nameOf = (site: FiberSiteRecord): Site => siteOf(placeOfSite(site) ?? { name: "(no Effect.fn or span)" })

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`
