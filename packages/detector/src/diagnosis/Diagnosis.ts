/** From an observation to a verdict: all rules are asked, one cause becomes one finding, and an inconclusive run is reported as such. */
import { messageOf, observable } from "@fiberscope/core/FiberCensus"
import * as Schema from "effect/Schema"
import { Finding, isLeak } from "../Finding.ts"
import type { Detectable, Judgement, LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { AbandonedFibers } from "../rules/AbandonedFibers.ts"
import { LeaseOverdue, ListenerPileUp, StuckShutdown } from "../rules/CoreReports.ts"
import { FiberGrowth } from "../rules/FiberGrowth.ts"
import { GaugeGrowth, MetricCardinality } from "../rules/GaugeGrowth.ts"
import { HeapFloorTrend } from "../rules/HeapFloorTrend.ts"
import { KeptGrowth } from "../rules/KeptGrowth.ts"
import { LargeObjectGrowth } from "../rules/LargeObjectGrowth.ts"
import { LoopStarvation } from "../rules/LoopStarvation.ts"
import { OffHeapGrowth } from "../rules/OffHeapGrowth.ts"
import { ResourceGrowth } from "../rules/ResourceGrowth.ts"
import { SurvivorGrowth } from "../rules/SurvivorGrowth.ts"
import { HeapGrowthRatio } from "../rules/Thresholds.ts"
import { limits } from "../statistics/limits.ts"
import { size } from "../text/Units.ts"
import { printable } from "../text/Untrusted.ts"
import { filling, isSettled, keptBy, withoutKeeper } from "./keptBy.ts"
import { mergeFindings, ofFibersThatMayEnd } from "./mergeFindings.ts"

/**
 * `leak`: something leaks, and the findings name it. `ok`: nothing above the stated limit leaks. `undecided`: this run is not enough to
 * decide, and the suspicions name what it would take.
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
  /** Rules that failed; `problems` has their messages. */
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
  KeptGrowth,
  GaugeGrowth(),
  MetricCardinality,
  LeaseOverdue,
  ListenerPileUp,
  StuckShutdown,
  HeapFloorTrend,
  HeapGrowthRatio(),
  LoopStarvation()
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
  const rules = options?.rules ?? defaultRules
  for (const rule of rules) {
    try {
      const judgement = rule.check(observation)
      if (!isJudgement(judgement)) throw new TypeError("returned something that is not a judgement")
      if (judgement._tag === "Warn") found.push(...judgement.findings)
      if (judgement._tag === "Recheck") suspicions.push(...judgement.suspicions)
    } catch (error) {
      failed.push(rule)
      problems.push(`rule ${rule.name}: ${messageOf(error)}`)
    }
  }
  // Something that fills up only grows as well. Snapshots answer a suspicion, and raise none.
  const isAsked = suspicions.length > 0 || found.some((finding) => finding.kept === undefined && isLeak(finding))
  for (const finding of found.splice(0).filter(({ kept }) => kept === undefined || isAsked)) {
    const doubt = ofFibersThatMayEnd(finding, observation) ?? withoutKeeper(finding, observation)
    if (doubt === undefined) found.push(finding)
    else suspicions.push(doubt)
  }
  const early = observation.durationMs < limits.leakAfter
  const merged = mergeFindings(early ? found.filter((finding) => !isLeak(finding)) : found, observation, rules)
  const kept = keptBy(merged, observation).map(filling)
  const findings = options?.accept?.(kept) ?? kept
  if (early) {
    for (const finding of found.filter(isLeak)) {
      suspicions.push({
        rule: finding.rule,
        what: finding.summary,
        why: "the run was too short: start-up looks like this too",
        wouldTake: "a run of 30 s"
      })
    }
  }
  // A rule that any leak explains has nothing to add to one, also where that is accepted.
  const explained = findings.some((finding) => isLeak(finding) || finding.accepted !== undefined)
  const byAny = new Set(rules.filter(({ explainedBy }) => explainedBy?.kinds.includes("*")).map(({ name }) => name))
  const open = suspicions.filter((one) => !(explained && byAny.has(one.rule)) && !isSettled(one, observation, findings))
  // Text of the program leaves the rules here, for reports, logs and listeners.
  const said = { ...verdictOf(observation, findings, open, problems, rules), findings, suspicions: open, problems }
  return { ...printable(said), failed }
}

const isFinding = Schema.is(Finding)

/** A rule of the program's own may return anything, and one malformed finding would spoil the whole report. */
const isJudgement = (answer: Judgement | undefined): answer is Judgement =>
  answer?._tag === "Ok"
  || (answer?._tag === "Warn" && answer.findings.every((finding) => isFinding(finding)))
  || (answer?._tag === "Recheck"
    && answer.suspicions.every(({ rule, what, why, wouldTake }) =>
      [rule, what, why, wouldTake].every((text) => typeof text === "string")
    ))

/** Parts of the agent without which nothing can be called ok. */
const essential = ["fibers", "connection", "message", "samples", "reading", "tick", "interval"]

const verdictOf = (
  observation: Observation,
  findings: ReadonlyArray<Finding>,
  suspicions: ReadonlyArray<Suspicion>,
  problems: ReadonlyArray<string>,
  rules: ReadonlyArray<LeakRule>
): Pick<Diagnosis, "verdict" | "because"> => {
  const leaks = findings.filter(isLeak)
  const undecided = (because: string) => ({ verdict: "undecided", because }) as const
  if (leaks.length > 0) {
    return { verdict: "leak", because: leaks.length === 1 ? leaks[0]!.summary : `${leaks.length} leaks` }
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
  if (observation.silentMs > 0) {
    return undecided(
      `the event loop has not answered for the last ${
        Math.round(observation.silentMs / 1000)
      } s: something blocks it, and nothing was `
        + `observed after ${Math.round(observation.durationMs / 1000)} s`
    )
  }
  const [suspicion] = suspicions
  if (suspicion !== undefined) {
    return undecided(`${suspicion.what}, but ${suspicion.why}; it would take ${suspicion.wouldTake}`)
  }
  if (problems.length > 0) return undecided(`part of the analysis failed: ${problems[0]}`)
  const seconds = Math.round(observation.durationMs / 1000)
  if (observation.durationMs < limits.okAfter) {
    return undecided(`${seconds} s are too short to call anything ok; it would take a run of 30 s`)
  }
  const detectable = rules.flatMap(({ detectable: of }) => of?.(observation) ?? [])
  const blind = detectable.find(({ essential, perSecond }) => essential !== undefined && perSecond === Infinity)
  if (blind?.essential !== undefined) return undecided(`fibers do not accumulate, but ${blind.essential.why}`)
  const accepted = findings.filter((finding) => finding.accepted !== undefined).length
  const but = accepted > 0 ? `, except for ${accepted} accepted ${accepted === 1 ? "finding" : "findings"}` : ""
  return { verdict: "ok", because: `no leak found in ${seconds} s${but} (${detection(detectable)})` }
}

/** The slowest leaks that this run would have found, and the memory that was not judged. */
const detection = (all: ReadonlyArray<Detectable>): string => {
  const known = all.filter(({ perSecond }) => perSecond < Infinity)
  const unknown = all.filter(({ perSecond }) => perSecond === Infinity)
  const limit = known.map(({ perSecond, where }) => `${size(perSecond)}/s ${where}`).join(", ")
  const rest = unknown.map(({ where }) => `memory ${where} was not judged`)
  return [...known.length > 0 ? [`detection limit: ${limit}`] : [], ...rest].join("; ") || "memory was not judged"
}
