/** One cause, one finding: growth of memory in the functions of leaking fibers is evidence for those, not a second leak. */
import { convicts, fingerprint } from "../Finding.ts"
import type { Evidence, Finding, Site } from "../Finding.ts"
import type { Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import { ofUnknownLife } from "../rules/evidence/FiberSites.ts"
import { floorTrend } from "../rules/evidence/HeapFloor.ts"

/** Joins findings of one cause, and adds to each what the heap floor says about size and speed. */
export const mergeCauses = (findings: ReadonlyArray<Finding>, observation: Observation): ReadonlyArray<Finding> => {
  const memory = findings.find(({ kind }) => kind === "memory-growth")
  const fibers = findings.filter(({ kind }) => kind === "fiber-growth" || kind === "abandoned-fibers")
  const cause = memory === undefined ? undefined : fibers.find((finding) => related(finding, memory))
  const floor = floorEvidence(observation)
  const main = cause ?? fibers[0] ?? memory
  // Handles and buffers have no site of their own. What has one, and leaks as well, is the best account of them; and what grows below it
  // in objects that get larger may be the table that holds the others.
  const companions = main === undefined
    ? []
    : findings.filter((finding) =>
      finding.kind === "resource-growth" || finding.kind === "off-heap-growth"
      || (finding.kind === "memory-growth" && finding !== memory)
    )
  return findings
    .filter((finding) => (cause === undefined || finding !== memory) && !companions.includes(finding))
    .map((original) => {
      if (!convicts(original)) return original
      const finding = original === main
        ? {
          ...original,
          evidence: [...original.evidence, ...companions.map(({ kind, summary }) => ({ label: kind, text: summary }))]
        }
        : original
      const own = original === cause && memory !== undefined
        ? {
          ...named(finding, memory),
          bytes: Math.max(finding.bytes, memory.bytes),
          evidence: [...finding.evidence, {
            label: "memory",
            text: `${memory.summary} (${memory.evidence[0]?.text ?? ""})`
          }]
        }
        : { bytes: finding.bytes, evidence: finding.evidence }
      return { ...finding, ...own, evidence: floor === undefined ? own.evidence : [...own.evidence, floor] }
    })
}

/** Fibers without a name have no site of their own; where they allocate is where they come from. */
const named = (fibers: Finding, memory: Finding): Pick<Finding, "site" | "summary" | "fingerprint"> =>
  fibers.site.file !== undefined || isLibrary(memory.site)
    ? fibers
    : {
      site: memory.site,
      summary: fibers.summary.replace(fibers.site.name, describeSite(memory.site)).replace(
        "forked in",
        "that allocate in"
      ),
      fingerprint: fingerprint(fibers.kind, memory.site)
    }

/**
 * What is said of a finding whose objects may belong to fibers of which the run was too short to know how long they live: they live as
 * long as those do.
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

const isLibrary = ({ file }: Site): boolean => file === undefined || /[\\/]node_modules[\\/]/.test(file)

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
    text: `it rises by ${
      (perSecond * 3600 / 1024 / 1024).toFixed(0)
    } MB/h; at this rate the heap limit is reached in ${left}`
  }
}
