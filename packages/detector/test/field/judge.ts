/** Whether a report saw a program, and whether its verdict is true: pure functions over the report. */
import { isLeak } from "../../src/Finding.ts"
import { describeSite } from "../../src/places/Site.ts"
import type { Report } from "../../src/report/Report.ts"
import type { Program } from "./Program.ts"

export interface Seen {
  readonly fibers: number
  readonly effect: ReadonlyArray<string>
  /** Why the program counts as unseen; absent when it was seen. */
  readonly problem?: string
}

/** The fibers and versions of effect that a report knows of, and what is wrong with them. */
export const seen = (program: Program, report: Report | undefined): Seen => {
  if (report === undefined) return { fibers: 0, effect: [], problem: "there is no report" }
  const fibers = report.processes.reduce((sum, process) => sum + process.fibers.started, 0)
  const effect = report.versions.effect
  const { effect: expected, effectInReport } = program
  if (fibers === 0) {
    const reasons = [report.because, ...report.processes.flatMap(({ problems }) => problems)].join("; ")
    return program.unseen?.test(reasons) === true
      ? { fibers, effect }
      : { fibers, effect, problem: `no fibers: ${reasons}` }
  }
  if (!effect.some((one) => one === expected || effectInReport?.test(one) === true)) {
    return { fibers, effect, problem: `effect ${effect.join(", ")} was reported, and it is ${expected}` }
  }
  return { fibers, effect }
}

const units: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2 }

/** The bytes a second below which a leak would not have shown, as a report with the verdict `ok` says. */
export const limitOf = (because: string): number | undefined => {
  const [, number, unit] = /detection limit: (\d+) (B|KB|MB)\/s in one function/.exec(because) ??
    []
  return number === undefined ? undefined : Number(number) * units[unit!]!
}

/** `true` and `untrue` speak for themselves; `unsure` is `undecided` where the truth is known. */
export type Judgement = "true" | "unsure" | "untrue"

/** Whether the verdict is true, and for a leak whether what leaks was named. */
export const judge = (
  program: Program,
  report: Report | undefined
): { readonly is: Judgement; readonly why: string } => {
  const { bytesPerSecond = Infinity, named, verdicts, why } = program.truth
  if (report === undefined) return { is: "untrue", why: "there is no report" }
  if (report.verdict === "undecided" && program.unseen?.test(report.because) === true) {
    return { is: "true", why: report.because }
  }
  if (report.verdict === "undecided" && !verdicts.includes("undecided")) return { is: "unsure", why: report.because }
  if (report.verdict === "ok" && verdicts.includes("leak") && bytesPerSecond <= (limitOf(report.because) ?? 0)) {
    return {
      is: "unsure",
      why: `it leaks ${bytesPerSecond} bytes/s, and the report says that it cannot show so little`
    }
  }
  if (!verdicts.includes(report.verdict)) return { is: "untrue", why: `it is ${verdicts[0]}: ${why}` }
  const findings = report.findings.filter(isLeak)
  if (report.verdict !== "leak" || named === undefined) return { is: "true", why: report.because }
  const names = findings.flatMap(({ chain, site, summary, waits }) => [
    summary,
    ...[site, ...chain, ...waits].map((place) => describeSite(place))
  ])
  return names.some((name) => named.test(name))
    ? { is: "true", why: report.because }
    : { is: "untrue", why: `nothing that is named matches ${named}: ${report.because}` }
}
