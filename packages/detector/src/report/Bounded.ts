/** The part of a report that is shown: the worst first, and how many more there are. `--json` writes all of it. */
import { isLeak } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import type { ProcessReport, Report } from "./Report.ts"

/** The most that a rendering shows of each kind of thing. GitHub shows ten annotations of a kind in a step. */
export const most = {
  /** Findings with everything that is known of them. */
  findings: 5,
  /** More findings, with a line each. */
  summaries: 10,
  accepted: 10,
  notes: 5,
  undecided: 5,
  processes: 8,
  problems: 5,
  reasons: 10,
  annotations: 8
} as const

/** The first of many, and how many are left. */
export const bounded = <A>(
  all: ReadonlyArray<A>,
  most: number
): { readonly shown: ReadonlyArray<A>; readonly more: number } => ({
  shown: all.slice(0, most),
  more: Math.max(0, all.length - most)
})

/**
 * Findings that make the verdict, the greatest harm first.
 *
 * **Details**
 *
 * An error comes before a warning. Harm is memory a second: as measured, or by what each of those that are there now holds. It is an
 * estimate, so findings whose harm is of the same order of magnitude stay in the order of the rules.
 */
export const worstFirst = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.filter(isLeak).sort((a, b) => severities[a.severity] - severities[b.severity] || harm(b) - harm(a))

const severities: Readonly<Record<Finding["severity"], number>> = { error: 0, warning: 1, info: 2 }

/** Bytes that one fiber or handle is assumed to hold when nothing is known. */
const each = 1000

const harm = ({ bytes, count, growth: { perSecond, unit } }: Finding): number => {
  const rate = unit === "bytes" ? perSecond : perSecond * (bytes > 0 && count > 0 ? bytes / count : each)
  return rate > 0 ? Math.floor(Math.log10(rate)) : -1000
}

const verdicts: Readonly<Record<Report["verdict"], number>> = { leak: 0, undecided: 1, ok: 2 }

/** Processes, those with the worst verdict first, and of those with the same verdict the busiest. */
export const busiestFirst = (processes: ReadonlyArray<ProcessReport>): ReadonlyArray<ProcessReport> =>
  [...processes].sort((a, b) => verdicts[a.verdict] - verdicts[b.verdict] || b.fibers.started - a.fibers.started)

/** The number of processes with each verdict: `50 ok, 2 undecided`. */
export const countVerdicts = (processes: ReadonlyArray<ProcessReport>): string =>
  (["leak", "undecided", "ok"] as const)
    .map((verdict) => [verdict, processes.filter((one) => one.verdict === verdict).length] as const)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`)
    .join(", ")
