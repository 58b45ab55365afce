/** One cause, one finding: a finding that another one explains becomes evidence of that one. */
import { isLibraryFile } from "@fiberscope/core/FiberSite"
import { fingerprint, isLeak } from "../Finding.ts"
import type { Evidence, Finding, Site } from "../Finding.ts"
import type { Explanation, LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import { ofUnknownLife } from "../rules/evidence/FiberSites.ts"
import { floorTrend } from "../rules/evidence/HeapFloor.ts"
import { size } from "../text/Units.ts"

/** Merges findings of one cause, and adds to each what the heap floor shows of size and speed. */
export const mergeFindings = (
  findings: ReadonlyArray<Finding>,
  observation: Observation,
  rules: ReadonlyArray<LeakRule>
): ReadonlyArray<Finding> => {
  const explanations = new Map(rules.map(({ explainedBy, name }) => [name, explainedBy]))
  const causes = new Map<Finding, Finding>()
  for (const finding of findings) {
    const cause = causeOf(finding, explanations.get(finding.rule), findings)
    if (cause !== undefined) causes.set(finding, cause)
  }
  const floor = floorEvidence(observation)
  return findings.filter((finding) => !causes.has(finding)).map((finding) => {
    if (!isLeak(finding)) return finding
    const explained = findings.filter((other) => rootOf(other, causes) === finding && other !== finding)
    const merged = explained.reduce(explain, finding)
    return floor === undefined ? merged : { ...merged, evidence: [...merged.evidence, floor] }
  })
}

/** The finding that explains this one, of the best kind. */
const causeOf = (
  finding: Finding,
  explanation: Explanation | undefined,
  findings: ReadonlyArray<Finding>
): Finding | undefined => {
  for (const kind of explanation?.kinds ?? []) {
    const candidates = findings.filter((other) => other.kind === kind && other.rule !== finding.rule)
    const cause = candidates.find((other) => related(other, finding))
      ?? (explanation?.where === "anywhere" ? candidates[0] : undefined)
    if (cause !== undefined) return cause
  }
  return undefined
}

const rootOf = (finding: Finding, causes: ReadonlyMap<Finding, Finding>): Finding => {
  const cause = causes.get(finding)
  return cause === undefined ? finding : rootOf(cause, causes)
}

/** A finding with another one as evidence. Memory gives its bytes, and its place where the fibers have none. */
const explain = (cause: Finding, { bytes, evidence, kind, rule, site, summary }: Finding): Finding => {
  if (kind !== "memory-growth" || rule === cause.rule || cause.kind === "memory-growth") {
    return { ...cause, evidence: [...cause.evidence, { label: kind, text: summary }] }
  }
  return {
    ...cause,
    ...named(cause, site),
    bytes: Math.max(cause.bytes, bytes),
    evidence: [...cause.evidence, { label: "memory", text: `${summary} (${evidence[0]?.text ?? ""})` }]
  }
}

/** Fibers without a name have no place of their own; the place where they allocate is named instead. */
const named = (fibers: Finding, memory: Site): Partial<Pick<Finding, "site" | "summary" | "fingerprint">> =>
  fibers.site.file !== undefined || isLibrary(memory)
    ? {}
    : {
      site: memory,
      summary: fibers.summary.replace(fibers.site.name, describeSite(memory)).replace(
        "forked in",
        "that allocate in"
      ),
      fingerprint: fingerprint(fibers.kind, memory)
    }

/**
 * The suspicion in place of a finding whose objects may belong to fibers with a lifetime longer than the run can show: they live as long as
 * those fibers do.
 */
export const ofFibersThatMayEnd = (finding: Finding, observation: Observation): Suspicion | undefined => {
  const fibers = finding.kind === "memory-growth" || finding.kind === "off-heap-growth"
    ? ofUnknownLife(observation)
    : undefined
  if (fibers === undefined || !fibers.places.some((places) => shareFile(places, finding))) return undefined
  const { what, why, wouldTake } = fibers.doubt
  return { rule: finding.rule, what: finding.summary, why: `${what}, and ${why}: it may be theirs`, wouldTake }
}

/** Whether the memory was allocated in a file in which the fibers were forked, run or wait, or by the run loop itself. */
const related = (fibers: Finding, memory: Finding): boolean =>
  fibers.site.file === undefined || shareFile(fibers, memory) || [memory.site, ...memory.chain].every(isLibrary)

const shareFile = (fibers: Pick<Finding, "site" | "chain" | "waits">, memory: Finding): boolean => {
  const files = new Set([fibers.site, ...fibers.chain, ...fibers.waits].map(({ file }) => file))
  return [memory.site, ...memory.chain].some(({ file }) => file !== undefined && files.has(file))
}

const isLibrary = ({ file }: Site): boolean => file === undefined || isLibraryFile(file)

const floorEvidence = (observation: Observation): Evidence | undefined => {
  const { perSecond, rising } = floorTrend(observation)
  const limit = observation.lastTick?.memory.heapLimit ?? 0
  const last = observation.series("heap.floor").at(-1)?.value
  if (!rising || perSecond <= 0 || last === undefined) return undefined
  const hours = (limit - last) / perSecond / 3600
  const left = hours < 2
    ? `${Math.max(1, Math.round(hours * 60))} minutes`
    : hours < 72
    ? `${Math.round(hours)} hours`
    : `${Math.round(hours / 24)} days`
  return {
    label: "heap floor",
    text: `it rises by ${size(perSecond * 3600)}/h; at this rate the heap limit is reached in ${left}`
  }
}
