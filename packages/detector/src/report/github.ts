/**
 * The report as workflow commands of GitHub Actions: annotations at the guilty lines.
 *
 * @since 0.1.0
 */
import { convicts } from "../Finding.ts"
import type { Report } from "../Report.ts"

/**
 * Renders each finding as an `::error` at its file and line (relative to `base`), suspicions as `::warning`, and the verdict as a
 * `::notice`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderGithub = (report: Report, base = ""): string => {
  const lines = report.findings.filter(convicts).map(({ evidence, fix, kind, site, summary }) => {
    const place = site.file === undefined
      ? ""
      : `file=${property(site.file.startsWith(base + "/") ? site.file.slice(base.length + 1) : site.file)},`
        + `line=${site.line ?? 1},col=${site.column ?? 1},`
    const text = [summary, ...evidence.map((one) => `${one.label}: ${one.text}`), `fix: ${fix}`].join("\n")
    return `::error ${place}title=${property(`Fiberscope: ${kind}`)}::${data(text)}`
  })
  for (const { what, why, wouldTake } of report.undecided) {
    lines.push(`::warning title=Fiberscope::${data(`${what}: ${why}. It would take ${wouldTake}.`)}`)
  }
  lines.push(`::notice title=${property(`Fiberscope: ${report.verdict}`)}::${data(report.because)}`)
  return lines.join("\n") + "\n"
}

// As the runner's own toolkit does it.
const data = (text: string): string => text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A")
const property = (text: string): string => data(text).replace(/:/g, "%3A").replace(/,/g, "%2C")
