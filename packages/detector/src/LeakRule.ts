/** The contract of a rule: it looks at the observation of one process and answers `Ok`, `Warn` or `Recheck`. */
import type { Finding, Kind } from "./Finding.ts"
import type { Observation } from "./observation/Observation.ts"

/**
 * The rule found nothing.
 *
 * @category models
 */
export interface Ok {
  readonly _tag: "Ok"
}

/**
 * Something leaks, worst first.
 *
 * @category models
 */
export interface Warn {
  readonly _tag: "Warn"
  readonly findings: ReadonlyArray<Finding>
}

/**
 * Something looks like a leak, and this run is not enough to decide.
 *
 * @category models
 */
export interface Recheck {
  readonly _tag: "Recheck"
  readonly suspicions: ReadonlyArray<Suspicion>
}

/**
 * Something that may leak: `what` it is, `why` this run is not enough, and what it `wouldTake` to decide.
 *
 * @category models
 */
export interface Suspicion {
  readonly rule: string
  readonly what: string
  readonly why: string
  readonly wouldTake: string
}

/**
 * The answer of a rule.
 *
 * @category models
 */
export type Judgement = Ok | Warn | Recheck

/**
 * The slowest leak that a rule would have found in this run, in bytes a second: `Infinity` if it would have found none. If that is
 * `essential`, nothing can be called ok then, and `why` names what is missing.
 *
 * @category models
 */
export interface Detectable {
  readonly perSecond: number
  /** The objects in which such a leak would be, as `in one function`. */
  readonly where: string
  readonly essential?: { readonly why: string } | undefined
}

/**
 * Kinds of findings that explain the findings of a rule, the best first. Memory of leaking fibers, for example, is evidence for the fibers
 * and not a second leak.
 *
 * @category models
 */
export interface Explanation {
  readonly kinds: ReadonlyArray<Kind>
  /** `same-file`: only where both have a file in common. */
  readonly where: "same-file" | "anywhere"
}

/**
 * A rule. `check` is called again and again as the observation grows; its result must depend on the observation alone.
 *
 * @category models
 */
export interface LeakRule {
  readonly name: string
  readonly check: (observation: Observation) => Judgement
  readonly explainedBy?: Explanation | undefined
  readonly detectable?: ((observation: Observation) => Detectable) | undefined
}

/**
 * Makes a rule from the findings and suspicions that it returns.
 *
 * **Example**
 *
 * ```ts
 * import * as Finding from "@fiberscope/detector/Finding"
 * import * as LeakRule from "@fiberscope/detector/LeakRule"
 *
 * const ManyFibers = LeakRule.make({
 *   name: "ManyFibers",
 *   find: ({ lastTick }) =>
 *     (lastTick?.fibers.live ?? 0) <= 1000 ? {} : {
 *       findings: [Finding.make({
 *         kind: "many-fibers",
 *         rule: "ManyFibers",
 *         severity: "info",
 *         summary: "more than 1000 fibers live",
 *         site: { name: "(the process)" },
 *         fix: "Bound the concurrency."
 *       })]
 *     }
 * })
 *
 * console.log(ManyFibers.name)
 * ```
 *
 * @category constructors
 */
export const make = (options: {
  readonly name: string
  readonly find: (observation: Observation) => {
    readonly findings?: ReadonlyArray<Finding> | undefined
    readonly suspicions?: ReadonlyArray<Omit<Suspicion, "rule">> | undefined
  }
  readonly explainedBy?: Explanation | undefined
  readonly detectable?: ((observation: Observation) => Detectable) | undefined
}): LeakRule => ({
  name: options.name,
  explainedBy: options.explainedBy,
  detectable: options.detectable,
  check: (observation) => {
    const { findings = [], suspicions = [] } = options.find(observation)
    const pid = observation.hello?.pid ?? 0
    return judgement(
      findings.map((finding) => ({ ...finding, pid })),
      suspicions.map((suspicion) => ({ rule: options.name, ...suspicion }))
    )
  }
})

/** The findings, the worst first, if there are any; else the suspicions. */
const judgement = (findings: ReadonlyArray<Finding>, suspicions: ReadonlyArray<Suspicion>): Judgement =>
  findings.length > 0
    ? { _tag: "Warn", findings: [...findings].sort((a, b) => b.count - a.count) }
    : suspicions.length > 0
    ? { _tag: "Recheck", suspicions }
    : { _tag: "Ok" }

/**
 * A longer run of this window, as an answer to what it would take.
 *
 * @category constructors
 */
export const runOf = (ms: number): string => `a run of ${Math.ceil(ms / 1000)} s (--for ${Math.ceil(ms / 1000)}s)`
