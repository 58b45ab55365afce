/**
 * The report as Markdown, for the summary of a CI job or a comment on a change.
 *
 * @since 0.1.0
 */
import { convicts } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import type { Report } from "../Report.ts"
import { describeSite } from "../Site.ts"
import { number, size } from "../Units.ts"
import { sparkline } from "./Sparkline.ts"

/**
 * Renders a report as Markdown.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderMarkdown = (report: Report): string => {
  const lines = [`## Fiberscope: ${report.verdict}`, "", escape(report.because), ""]
  const row = (name: string, label: string, render: (value: number) => string) => {
    const values = report.signals[name]?.points.map(([, value]) => value) ?? []
    if (values.length > 1) {
      lines.push(`| ${label} | \`${sparkline(values, 30)}\` | ${render(values[0]!)} | ${render(values.at(-1)!)} |`)
    }
  }
  lines.push("| signal | over time | first | last |", "|---|---|---|---|")
  row("fibers.live", "live fibers", number)
  row("heap.floor", "heap floor", size)
  row("rss", "rss", size)
  for (const finding of report.findings.filter(convicts)) lines.push("", ...findingLines(finding))
  if (report.undecided.length > 0) {
    lines.push("", "### Not decided", "")
    for (const { what, why, wouldTake } of report.undecided) {
      lines.push(`- ${escape(`${what}: ${why}. It would take ${wouldTake}.`)}`)
    }
  }
  lines.push(
    "",
    `\`${report.program.command.join(" ")}\`, ${(report.durationMs / 1000).toFixed(1)} s, effect ${
      report.versions.effect.join(", ") || "not found"
    }, node ${report.versions.node}`
  )
  return lines.join("\n") + "\n"
}

const findingLines = (finding: Finding): ReadonlyArray<string> => [
  `### ${escape(finding.summary)}`,
  "",
  `- **at** \`${describeSite(finding.site)}\``,
  ...finding.waits.slice(0, 2).map((site) => `- **waits** \`${describeSite(site)}\``),
  ...finding.evidence.map(({ label, text }) => `- **${label}** ${escape(text)}`),
  `- **fix** ${escape(finding.fix)}`,
  `- **cannot show** ${escape(finding.cannotShow)}`
]

const escape = (text: string): string => text.replace(/[<>|*_`]/g, "\\$&")
