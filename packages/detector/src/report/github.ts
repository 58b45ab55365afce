/** The report as workflow commands of GitHub Actions: annotations at the lines that leak. */
import { pathLine } from "../places/HeapPathText.ts"
import { githubData, githubProperty } from "../text/Untrusted.ts"
import { bounded, most, worstFirst } from "./Bounded.ts"
import { renderer } from "./Renderer.ts"
import type { Report } from "./Report.ts"

/**
 * Renders each finding as an `::error` at its file and line (relative to `base`), suspicions as `::warning`, and the verdict as a
 * `::notice`. GitHub shows ten of each kind per step, so there are at most nine: the last one gives the number of the rest.
 */
export const renderGithub = renderer((report: Report, base: string = ""): string => {
  const findings = bounded(worstFirst(report.findings), most.annotations)
  const lines = findings.shown.map(({ evidence, fix, kept, kind, site, summary }) => {
    const place = site.file === undefined
      ? ""
      : `file=${githubProperty(site.file.startsWith(base + "/") ? site.file.slice(base.length + 1) : site.file)},`
        + `line=${site.line ?? 1},col=${site.column ?? 1},`
    const reasons = bounded(evidence, most.reasons)
    const text = [
      summary,
      ...kept === undefined ? [] : [`kept by: ${pathLine(kept)}`],
      ...reasons.shown.map((one) => `${one.label}: ${one.text}`),
      ...reasons.more === 0 ? [] : [`and ${reasons.more} more reasons`],
      `fix: ${fix}`
    ].join("\n")
    return `::error ${place}title=${githubProperty(`Fiberscope: ${kind}`)}::${githubData(text)}`
  })
  if (findings.more > 0) lines.push(`::error title=Fiberscope::${githubData(`and ${findings.more} more leaks`)}`)
  const undecided = bounded(report.undecided, most.annotations)
  for (const { what, why, wouldTake } of undecided.shown) {
    lines.push(`::warning title=Fiberscope::${githubData(`${what}: ${why}. To decide: ${wouldTake}.`)}`)
  }
  if (undecided.more > 0) {
    lines.push(`::warning title=Fiberscope::${githubData(`and ${undecided.more} more undecided`)}`)
  }
  lines.push(`::notice title=${githubProperty(`Fiberscope: ${report.verdict}`)}::${githubData(report.because)}`)
  return lines.join("\n") + "\n"
})
