/** From an observation to a verdict: all rules are asked, one cause becomes one finding, and what cannot be told is said. */
import { messageOf, observable } from "@fiberscope/core/FiberCensus"
import * as Schema from "effect/Schema"
import { convicts, Finding } from "../Finding.ts"
import type { Judgement, LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { AbandonedFibers } from "../rules/AbandonedFibers.ts"
import { LeaseOverdue, ListenerPileUp, StuckShutdown } from "../rules/CoreReports.ts"
import { FiberGrowth } from "../rules/FiberGrowth.ts"
import { GaugeGrowth, MetricCardinality } from "../rules/GaugeGrowth.ts"
import { detectable, HeapFloorTrend, unseen } from "../rules/HeapFloorTrend.ts"
import { LargeObjectGrowth } from "../rules/LargeObjectGrowth.ts"
import { LoopStarvation } from "../rules/LoopStarvation.ts"
import { detectableOffHeap, OffHeapGrowth } from "../rules/OffHeapGrowth.ts"
import { ResourceGrowth } from "../rules/ResourceGrowth.ts"
import { SurvivorGrowth } from "../rules/SurvivorGrowth.ts"
import { HeapGrowthRatio } from "../rules/Thresholds.ts"
import { leakAfterMs, okAfterMs } from "../statistics/minimumObservation.ts"
import { size } from "../text/Units.ts"
import { printable } from "../text/Untrusted.ts"
import { mergeCauses, ofFibersThatMayEnd } from "./mergeFindings.ts"

/**
 * `leak`: something leaks, and here is what. `ok`: nothing above the stated limit does. `undecided`: this run cannot tell, and here
 * is what it would take.
 *
 * @category models
 */
export type Verdict = "leak" | "ok" | "undecided"

/**
 * The verdict on one process, with the findings and suspicions behind it.
 *
 * @category models
 */
export interface Diagnosis {
  readonly verdict: Verdict
  /** The verdict in one sentence. */
  readonly because: string
  readonly findings: ReadonlyArray<Finding>
  readonly suspicions: ReadonlyArray<Suspicion>
  /** Rules that failed, and what they said. */
  readonly failed: ReadonlyArray<LeakRule>
  readonly problems: ReadonlyArray<string>
}

/**
 * The rules that are on by default.
 *
 * @category rules
 */
export const defaultRules: ReadonlyArray<LeakRule> = [
  FiberGrowth,
  AbandonedFibers,
  SurvivorGrowth,
  LargeObjectGrowth,
  OffHeapGrowth,
  ResourceGrowth,
  GaugeGrowth(),
  MetricCardinality,
  LeaseOverdue,
  ListenerPileUp,
  StuckShutdown,
  HeapFloorTrend,
  HeapGrowthRatio(),
  LoopStarvation
]

/**
 * Asks all rules about one process. A rule that throws or answers nonsense is left out and named in `problems`.
 *
 * @category constructors
 */
export const diagnose = (observation: Observation, options?: {
  readonly rules?: ReadonlyArray<LeakRule> | undefined
  /** Marks accepted findings. Default: none is. */
  readonly accept?: ((findings: ReadonlyArray<Finding>) => ReadonlyArray<Finding>) | undefined
}): Diagnosis => {
  const found: Array<Finding> = []
  const suspicions: Array<Suspicion> = []
  const failed: Array<LeakRule> = []
  const problems: Array<string> = []
  for (const rule of options?.rules ?? defaultRules) {
    try {
      const judgement = rule.check(observation)
      if (!isJudgement(judgement)) throw new TypeError("answered something that is no judgement")
      if (judgement._tag === "Warn") found.push(...judgement.findings)
      if (judgement._tag === "Recheck") suspicions.push(...judgement.suspicions)
    } catch (error) {
      failed.push(rule)
      problems.push(`rule ${rule.name}: ${messageOf(error)}`)
    }
  }
  for (const finding of found.splice(0)) {
    const doubt = ofFibersThatMayEnd(finding, observation)
    if (doubt === undefined) found.push(finding)
    else suspicions.push(doubt)
  }
  const early = observation.durationMs < leakAfterMs
  const merged = mergeCauses(early ? found.filter((finding) => !convicts(finding)) : found, observation)
  const findings = options?.accept?.(merged) ?? merged
  if (early) {
    for (const finding of found.filter(convicts)) {
      suspicions.push({
        rule: finding.rule,
        what: finding.summary,
        why: "the run was too short: start-up looks like this too",
        wouldTake: "a run of 30 s"
      })
    }
  }
  // A leak that was found explains the floor, also one that is accepted.
  const explained = findings.some((finding) => convicts(finding) || finding.accepted !== undefined)
  const open = explained ? suspicions.filter(({ rule }) => rule !== HeapFloorTrend.name) : suspicions
  // Here text of the program leaves the rules, for reports, logs and listeners.
  const said = { ...verdictOf(observation, findings, open, problems), findings, suspicions: open, problems }
  return { ...printable(said), failed }
}

const isFinding = Schema.is(Finding)

/** Rules may be anybody's, and one finding that is none would spoil the whole report. */
const isJudgement = (answer: Judgement | undefined): answer is Judgement =>
  answer?._tag === "Ok"
  || (answer?._tag === "Warn" && answer.findings.every((finding) => isFinding(finding)))
  || (answer?._tag === "Recheck"
    && answer.suspicions.every(({ rule, what, why, wouldTake }) =>
      [rule, what, why, wouldTake].every((text) => typeof text === "string")
    ))

/** Without these parts of the agent nothing can be called ok. */
const essential = ["fibers", "connection", "message", "samples", "reading", "tick", "interval"]

const verdictOf = (
  observation: Observation,
  findings: ReadonlyArray<Finding>,
  suspicions: ReadonlyArray<Suspicion>,
  problems: ReadonlyArray<string>
): Pick<Diagnosis, "verdict" | "because"> => {
  const guilty = findings.filter(convicts)
  const undecided = (because: string) => ({ verdict: "undecided", because }) as const
  if (guilty.length > 0) {
    return { verdict: "leak", because: guilty.length === 1 ? guilty[0]!.summary : `${guilty.length} leaks` }
  }
  if (observation.copies.length === 0) {
    return undecided(
      observation.unsupported[0]
        ?? `no fiber of effect ${observable} ran in this process, so there was nothing to observe`
    )
  }
  const part = observation.problems.find((problem) => essential.some((probe) => problem.startsWith(`${probe}: `)))
  if (part !== undefined) return undecided(`part of the observation failed: ${part}`)
  if ((observation.lastTick?.fibers.started ?? 0) === 0) {
    const versions = observation.copies.map(({ effect, where }) => effect ?? `at ${where}`)
    return undecided(`effect ${versions.join(" and ")} was loaded, and no fiber of it ran`)
  }
  const [suspicion] = suspicions
  if (suspicion !== undefined) {
    return undecided(`${suspicion.what}, but ${suspicion.why}; it would take ${suspicion.wouldTake}`)
  }
  if (problems.length > 0) return undecided(`part of the analysis failed: ${problems[0]}`)
  const seconds = Math.round(observation.durationMs / 1000)
  if (observation.durationMs < okAfterMs) {
    return undecided(`${seconds} s are too short to call anything ok; it would take a run of 30 s`)
  }
  const memory = detectable(observation)
  if (memory === Infinity) {
    const readings = observation.allocations.readings.length
    return undecided(
      (observation.hello?.samplingBytes ?? 0) === 0
        ? "fibers do not pile up, but memory was not sampled; it would take a run with allocation samples"
        : `fibers do not pile up, but ${readings} readings of memory are too few; it would take a run of ${
          2 * seconds
        } s`
    )
  }
  const accepted = findings.filter((finding) => finding.accepted !== undefined).length
  return {
    verdict: "ok",
    because: `nothing piled up in ${seconds} s${
      accepted > 0 ? `, but for ${accepted} accepted` : ""
    }; a leak slower than ${size(memory)}/s in one function would not have shown${beyond(observation, memory)}`
  }
}

/** What else would not have shown, where that is more: single objects that grow, and memory outside of the heap. */
const beyond = (observation: Observation, memory: number): string => {
  const large = unseen(observation)
  const offHeap = detectableOffHeap(observation)
  const parts = [
    large > memory ? `${size(large)}/s in single large objects` : undefined,
    offHeap === Infinity ? "anything outside of the heap" : `${size(offHeap)}/s in buffers`
  ].filter((part) => part !== undefined)
  return `, nor ${parts.join(" or ")}`
}
