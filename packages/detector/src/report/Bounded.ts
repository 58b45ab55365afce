/** The part of a report that is shown: the worst first, and the number of the rest. `--json` writes all of it. */
import { isLeak } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import type { ProcessReport, Report } from "./Report.ts"

/** The most items of each kind that a rendering shows. GitHub shows ten annotations of each kind per step. */
export const most = {
  /** Findings with all details. */
  findings: 5,
  /** Further findings, one line each. */
  summaries: 10,
  accepted: 10,
  notes: 5,
  undecided: 5,
  processes: 8,
  problems: 5,
  reasons: 10,
  /** Names on a path in the heap. */
  names: 12,
  annotations: 8
} as const

/** The first items of a list, and the number of the rest. */
export const bounded = <A>(
  all: ReadonlyArray<A>,
  most: number
): { readonly shown: ReadonlyArray<A>; readonly more: number } => ({
  shown: all.slice(0, most),
  more: Math.max(0, all.length - most)
})

/**
 * The findings that count for the verdict, the most harmful first.
 *
 * **Details**
 *
 * An error comes before a warning. Harm is memory per second: the measured growth, or the growing number times the average size. It is
 * an estimate, so findings whose harm has the same order of magnitude stay in the order of the rules.
 */
export const worstFirst = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.filter(isLeak).sort((a, b) => severities[a.severity] - severities[b.severity] || harm(b) - harm(a))

const severities: Readonly<Record<Finding["severity"], number>> = { error: 0, warning: 1, info: 2 }

/** The assumed size of one fiber or handle in bytes, when its size is not known. */
const each = 1000

const harm = ({ bytes, count, growth: { perSecond, unit } }: Finding): number => {
  const rate = unit === "bytes" ? perSecond : perSecond * (bytes > 0 && count > 0 ? bytes / count : each)
  return rate > 0 ? Math.floor(Math.log10(rate)) : -1000
}

const verdicts: Readonly<Record<Report["verdict"], number>> = { leak: 0, undecided: 1, ok: 2 }

/** Processes ordered by verdict, the worst first, and then by the number of fibers started. */
export const busiestFirst = (processes: ReadonlyArray<ProcessReport>): ReadonlyArray<ProcessReport> =>
  [...processes].sort((a, b) => verdicts[a.verdict] - verdicts[b.verdict] || b.fibers.started - a.fibers.started)

/** The number of processes with each verdict: `50 ok, 2 undecided`. */
export const countVerdicts = (processes: ReadonlyArray<ProcessReport>): string =>
  (["leak", "undecided", "ok"] as const)
    .map((verdict) => [verdict, processes.filter((one) => one.verdict === verdict).length] as const)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`)
    .join(", ")
