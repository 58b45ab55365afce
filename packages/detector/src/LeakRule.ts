/** The contract of a rule: it looks at what was observed of one process and answers `Ok`, `Warn` or `Recheck`. */
import type { Finding } from "./Finding.ts"
import type { Observation } from "./observation/Observation.ts"

/**
 * Nothing to say.
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
 * Something looks like a leak and cannot be told yet: why, where, and what it would take.
 *
 * @category models
 */
export interface Recheck {
  readonly _tag: "Recheck"
  readonly suspicions: ReadonlyArray<Suspicion>
}

/**
 * Something that may leak: `what` it is, `why` this run cannot tell, and what it `wouldTake` to tell.
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
 * A rule. `check` is called again and again as the observation grows; it must be a function of the observation alone.
 *
 * **Example**
 *
 * ```ts
 * import type { LeakRule } from "@fiberscope/detector/LeakRule"
 * import { ok } from "@fiberscope/detector/LeakRule"
 *
 * // A rule that never finds anything.
 * const quiet: LeakRule = { name: "Quiet", check: () => ok }
 *
 * console.log(quiet.name)
 * ```
 *
 * @category models
 */
export interface LeakRule {
  readonly name: string
  readonly check: (observation: Observation) => Judgement
}

/**
 * The answer of a rule that has found nothing.
 *
 * @category constructors
 */
export const ok: Judgement = { _tag: "Ok" }

/**
 * `Warn` when there are findings, else `Recheck` when there are suspicions, else `Ok`.
 *
 * @category constructors
 */
export const judgement = (findings: ReadonlyArray<Finding>, suspicions: ReadonlyArray<Suspicion>): Judgement =>
  findings.length > 0
    ? { _tag: "Warn", findings }
    : suspicions.length > 0
    ? { _tag: "Recheck", suspicions }
    : ok
