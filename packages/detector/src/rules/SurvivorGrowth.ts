/**
 * Memory that stays: below some function ever more objects survive, and hardly any of the old ones dies.
 *
 * @since 0.1.0
 */
import type { AllocationSite } from "../AllocationSites.ts"
import { isProgramFrame } from "../AllocationSites.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import { survivors } from "../Lives.ts"
import type { Observation } from "../Observation.ts"
import { describeSite, effectApi, libraryName, siteOf } from "../Site.ts"
import * as Turnover from "../Turnover.ts"
import { trafficRises, workOf } from "./Traffic.ts"

const name = "SurvivorGrowth"

/** Milliseconds: younger survivors are work in progress. */
const youngest = 3000

/** Readings without which there is nothing to compare. */
const fewestReadings = 4

interface Judged {
  readonly site: AllocationSite
  readonly turnover: Turnover.Turnover
}

/**
 * What can be said of memory ends with the last reading.
 *
 * @since 0.1.0
 * @category statistics
 */
export const memoryWindow = ({ allocations, window }: Observation): Turnover.Window => ({
  start: window.start,
  end: allocations.readings.at(-1) ?? window.start
})

/**
 * @since 0.1.0
 * @category rules
 */
export const SurvivorGrowth: LeakRule = {
  name,
  check: (observation) => {
    const { allocations } = observation
    if (allocations.readings.length < fewestReadings) return ok
    const window = memoryWindow(observation)
    const age = Math.max(youngest, Turnover.lengthOf(window) / 6)
    const steadyTraffic = !trafficRises(observation)
    const work = workOf(observation)
    const judged: Array<Judged> = []
    for (const site of allocations.sites.values()) {
      if (site.lives.living() < Turnover.limits.suspiciousArrivals) continue
      judged.push({
        site,
        turnover: Turnover.judge(site.lives.all(), window, age, {
          steadyTraffic,
          work,
          // A few more survivors somewhere in a whole program are its warm-up.
          suspicious: site.scope === "whole" ? 2 * Turnover.limits.arrivals : undefined
        })
      })
    }
    judged.sort((a, b) => Turnover.net(b.turnover.late) - Turnover.net(a.turnover.late))
    const culprit = findCulprit(judged)
    if (culprit !== undefined) return judgement([finding(observation, culprit)], [])
    const unclear = judged.find(({ site, turnover }) => turnover._tag === "unclear" && site.scope !== "library")
    return unclear === undefined ? ok : judgement([], [suspicion(unclear, Turnover.lengthOf(window))])
  }
}

/**
 * Of the growing sites of the program, the innermost that still explains four fifths of what the widest does; a site of a library
 * where no frame of the program is left; the site with most growth when only the whole program grows, because V8 inlined the
 * function half-way.
 */
const findCulprit = (judged: ReadonlyArray<Judged>): Judged | undefined => {
  const growing = judged.filter(({ turnover }) => turnover._tag === "growing")
  const named = growing.filter(({ site }) => site.scope === "program")
  const candidates = named.length > 0 ? named : growing.filter(({ site }) => site.scope === "library")
  const widest = candidates[0]
  if (widest === undefined) {
    const whole = growing[0]
    const most = judged.find(({ site }) => site.scope !== "whole")
    return whole === undefined || most === undefined ? undefined : { site: most.site, turnover: whole.turnover }
  }
  const enough = 0.8 * Turnover.net(widest.turnover.late)
  return candidates
    .filter(({ turnover }) => Turnover.net(turnover.late) >= enough)
    .reduce((best, candidate) => (candidate.site.depth < best.site.depth ? candidate : best))
}

const finding = (observation: Observation, { site, turnover }: Judged): Finding => {
  const { allocations } = observation
  const window = memoryWindow(observation)
  const frames = site.scope === "library" ? allocations.callersOf(site) : []
  const stack = allocations.chain(site, window.start + Turnover.lengthOf(window) / 3)
  const at = siteOf(site.scope === "program" ? site.frames[0]! : frames[0] ?? effectApi(stack) ?? site.frames[0]!)
  const program = stack.filter(isProgramFrame).map(siteOf)
  const inner = stack[0] === undefined ? undefined : siteOf(stack[0])
  const bytesEach = site.lives.living() > 0 ? site.bytes / site.lives.living() : 0
  const perSecond = turnover.perSecond * bytesEach
  const by = inner === undefined || inner.file === at.file ? "" : `, by ${libraryName(inner)}`
  const label = site.scope === "library" && frames.length === 0 ? libraryName(at) : describeSite(at)
  return {
    kind: "memory-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(turnover.z),
    summary: `memory allocated in ${label} stays: ${rate(perSecond)} more`,
    site: at,
    chain: program.length > 0 ? program.slice(0, 4) : frames.map(siteOf).slice(0, 4),
    waits: [],
    count: site.lives.living(),
    bytes: Math.round(site.bytes),
    growth: { perSecond, unit: "bytes" },
    survivors: survivors(site.lives.all(), window),
    evidence: [{
      label: "survivors",
      text:
        `of the sampled objects that got older than ${
          Math.ceil(turnover.age / 1000)
        } s, ${turnover.late.arrivals} arrived in the `
        + `late half of the run and ${turnover.late.departures} died (z = ${turnover.z.toFixed(1)})`
    }, { label: "allocated", text: `in ${label}${by}` }],
    cannotShow:
      "What keeps them: only where they were allocated. A container that is still filling up looks the same until it is full.",
    fix:
      `Look at what ${at.name} adds to and who removes it: bound the container (Cache with capacity, Queue.bounded, a TTL), or `
      + "release it where its work ends (Scope, Effect.acquireRelease).",
    docs: docsOf("memory-growth"),
    fingerprint: fingerprint("memory-growth", at),
    pid: observation.hello?.pid ?? 0
  }
}

const suspicion = ({ site, turnover }: Judged, length: number): Suspicion => ({
  rule: name,
  what: site.scope === "whole"
    ? "memory of the whole program grows"
    : `memory allocated in ${describeSite(siteOf(site.frames[0]!))} grows`,
  why: turnover.why,
  wouldTake: `a run of ${Math.ceil(2 * length / 1000)} s`
})

const rate = (bytesPerSecond: number): string =>
  bytesPerSecond >= 1024 * 1024
    ? `${(bytesPerSecond / 1024 / 1024).toFixed(1)} MB/s`
    : `${Math.round(bytesPerSecond / 1024)} KB/s`
