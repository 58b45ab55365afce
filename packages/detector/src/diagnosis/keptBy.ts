/** Joins findings with what snapshots of the heap show: each gets the path that keeps its objects, or is doubted where there is none. */
import type { HeapGrowth, HeapPath } from "../agent/Protocol.ts"
import { isLeak } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import type { Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { pathOf } from "../places/Site.ts"
import { decidingGrowth, gained, isAtRest, mayHold, secondsOf } from "../rules/evidence/HeapPaths.ts"
import { keptOf } from "../rules/evidence/keptOf.ts"
import type { Kept } from "../rules/evidence/keptOf.ts"
import { limits } from "../statistics/limits.ts"
import { number, size } from "../text/Units.ts"

/** The findings, each with the path that fits it best. A finding of snapshots alone is left out if another finding has it already. */
export const keptBy = (findings: ReadonlyArray<Finding>, { growth }: Observation): ReadonlyArray<Finding> => {
  if (growth === undefined) return findings
  // A path that has come to rest keeps nothing of what still grows.
  const left = new Set(growth.paths.filter((path) => growth.times.length < limits.snapshots || !isAtRest(path, growth)))
  const named = findings.filter(({ kept }) => kept === undefined).map((finding) => {
    const path = isOnHeap(finding) ? bestOf(finding, [...left], growth) : undefined
    if (path === undefined) return finding
    left.delete(path)
    return { ...finding, kept: keptOf(path, growth) }
  })
  const shown: Array<Finding> = []
  for (const finding of findings.filter(({ kept }) => kept !== undefined)) {
    const others = [...named.filter((one) => isLeak(one)), ...shown]
    // A finding without a path may be this one.
    if (!others.some(({ kind, kept }) => kept === undefined ? isOnHeap({ kind }) : isSame(kept, finding.kept!))) {
      shown.push(finding)
    }
  }
  return [...named, ...shown]
}

/** A finding of memory in a container with a bound is not a leak: it says how full the container is. */
export const filling = (finding: Finding): Finding => {
  const { kept } = finding
  if (kept?.bound === undefined || !fillsUp.has(finding.kind) || !isLeak(finding)) return finding
  return {
    ...finding,
    severity: "info",
    summary: `${kept.keeper} is filling: ${number(kept.bound.size)} of ${number(kept.bound.most)} ${kept.member}`,
    cannotShow: `It grows by ${size(finding.growth.perSecond)}/s until it is full`
  }
}

/** Kinds of findings about objects whose number a container may limit. */
const fillsUp: ReadonlySet<string> = new Set(["memory-growth", "resource-growth"])

/** The suspicion in place of a finding of memory for which the snapshots show no objects that became more. */
export const withoutKeeper = (finding: Finding, observation: Observation): Suspicion | undefined => {
  const growth = decidingGrowth(observation)
  const isMemory = finding.kind === "memory-growth" && finding.kept === undefined
  return growth === undefined || !isMemory || mayHold(growth, finding.growth.perSecond) ? undefined : {
    rule: keptGrowth,
    what: finding.summary,
    why: `${growth.times.length} snapshots of the heap show no objects that became more by as much`,
    wouldTake: "a longer run"
  }
}

/** Whether the snapshots settle a suspicion of memory: they found the leak, or nothing became more, or what did has come to rest. */
export const isSettled = (
  { rule }: Suspicion,
  observation: Observation,
  findings: ReadonlyArray<Finding>
): boolean => {
  const growth = decidingGrowth(observation)
  if (growth === undefined || !rulesOfMemory.has(rule)) return false
  if (findings.some((finding) => finding.rule === keptGrowth && isLeak(finding))) return true
  return rule !== "OffHeapGrowth" && growth.paths.every((path) => path.bound !== undefined || isAtRest(path, growth))
}

const keptGrowth = "KeptGrowth"

/** Rules about memory. A snapshot shows all objects on the heap, and of other memory what belongs to them. */
const rulesOfMemory: ReadonlySet<string> = new Set([
  "SurvivorGrowth",
  "LargeObjectGrowth",
  "HeapFloorTrend",
  "OffHeapGrowth"
])

/** Kinds whose objects are on the heap and stay there. */
const isOnHeap = ({ kind }: Pick<Finding, "kind">): boolean =>
  ["fiber-growth", "memory-growth", "off-heap-growth", "resource-growth", "listener-pile-up"].includes(kind)

/**
 * Whether two paths show one leak: they start at the same variable, or as many objects are kept by a variable and by something of Node or
 * Effect, such as timers.
 */
const isSame = (a: Kept, b: Kept): boolean => {
  if (a.scope !== undefined && b.scope !== undefined) return a.scope.file === b.scope.file && a.path[0] === b.path[0]
  const [more, fewer] = [gained(a.counts), gained(b.counts)].sort((x, y) => y - x) as [number, number]
  return a.path[0] === b.path[0] || fewer >= (1 - limits.many) * more
}

const bestOf = (finding: Finding, paths: ReadonlyArray<HeapPath>, growth: HeapGrowth): HeapPath | undefined => {
  let best: HeapPath | undefined
  let most = 0
  for (const path of paths) {
    const fits = fit(finding, path, growth)
    if (fits > most) {
      best = path
      most = fits
    }
  }
  return best
}

/**
 * How well a path fits a finding: by its rate, its files, the members that stay, and its share of all growth; 0 for another growth, which is
 * neither a quarter of the finding nor half of all that grew.
 */
const fit = (finding: Finding, path: HeapPath, growth: HeapGrowth): number => {
  const isCounted = finding.growth.unit !== "bytes"
  const rate = ratio(gained(isCounted ? path.counts : path.bytes) / secondsOf(growth), finding.growth.perSecond)
  const share = gained(path.bytes) / Math.max(1, growth.paths.reduce((sum, one) => sum + gained(one.bytes), 0))
  if (rate < limits.many && share < limits.most) return 0
  const files = new Set(
    [finding.site, ...finding.chain, ...finding.waits].flatMap(({ file }) => file === undefined ? [] : [file])
  )
  const isNear = path.steps.some(({ place }) => place?.file !== undefined && files.has(pathOf(place.file)))
  return rate + (isNear ? 1 / 2 : 0) + stayingShare(path) + share
}

/** The share of members that are still there in the next snapshot, in the interval with the fewest: few leave a leak. */
const stayingShare = ({ counts, stayed }: HeapPath): number =>
  stayed.length === 0 ? 0 : Math.min(...stayed.map((one, i) => one / Math.max(1, counts[i]!)))

/** 1 for equal rates, less the more they differ. */
const ratio = (a: number, b: number): number => a <= 0 || b <= 0 ? 0 : Math.min(a / b, b / a)
