/** The report as Markdown, for the summary of a CI job or a comment on a pull request. */
import type { Finding } from "../Finding.ts"
import { pathLine } from "../places/HeapPathText.ts"
import { describeSite } from "../places/Site.ts"
import { number, size } from "../text/Units.ts"
import { markdown, markdownCode, oneLine } from "../text/Untrusted.ts"
import { bounded, most, worstFirst } from "./Bounded.ts"
import { renderer } from "./Renderer.ts"
import type { Report } from "./Report.ts"
import { sparkline } from "./Sparkline.ts"

/** GitHub refuses a comment of more than 65 536 characters. The rest is for text that another tool adds. */
const mostCharacters = 60_000

/** Renders a report as Markdown that fits into a comment on GitHub. Lists are bounded, and the omitted items are counted. */
export const renderMarkdown = renderer((report: Report): string => {
  const lines = [`## Fiberscope: ${report.verdict}`, "", text(report.because), ""]
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
  const end = [...undecidedLines(report), ...footer(report)]
  const room = mostCharacters - lengthOf(lines) - lengthOf(end)
  lines.push(...findingsLines(worstFirst(report.findings), room), ...end)
  return lines.join("\n") + "\n"
})

/** A sentence or less, escaped. Escapes can make it five times as long. An empty line would change the structure, so it gets a dash. */
const text = (sentence: string, most = 500): string => markdown(oneLine(sentence, most)).trim() || "–"

const lengthOf = (lines: ReadonlyArray<string>): number => lines.reduce((sum, line) => sum + line.length + 1, 0)

/** As many findings as fit. One always fits: it has at most fourteen sentences. */
const findingsLines = (leaks: ReadonlyArray<Finding>, room: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let shown = 0
  for (const finding of leaks.slice(0, most.findings + most.summaries)) {
    const more = shown < most.findings ? ["", ...findingLines(finding)] : ["", `### ${text(finding.summary)}`]
    if (lengthOf(lines) + lengthOf(more) > room - 100) break
    lines.push(...more)
    shown++
  }
  const left = leaks.length - shown
  return left === 0 ? lines : [...lines, "", `and ${left} more leaks`]
}

const undecidedLines = (report: Report): ReadonlyArray<string> => {
  const { more, shown } = bounded(report.undecided, most.undecided)
  if (shown.length === 0) return []
  return [
    "",
    "### Undecided",
    "",
    ...shown.map(({ what, why, wouldTake }) => `- ${text(`${what}: ${why}. To decide: ${wouldTake}.`)}`),
    ...more === 0 ? [] : [`- and ${more} more`]
  ]
}

const footer = ({ durationMs, program, versions }: Report): ReadonlyArray<string> => [
  "",
  `${markdownCode(oneLine(program.command.join(" "), 300))}, ${(durationMs / 1000).toFixed(1)} s, ${
    text(`effect ${versions.effect.join(", ") || "not found"}, node ${versions.node}`)
  }`
]

const findingLines = (finding: Finding): ReadonlyArray<string> => {
  const reasons = bounded(finding.evidence, most.reasons)
  return [
    `### ${text(finding.summary)}`,
    "",
    `- **at** ${markdownCode(describeSite(finding.site))}`,
    ...finding.waits.slice(0, 2).map((site) => `- **waits** ${markdownCode(describeSite(site))}`),
    ...finding.kept === undefined
      ? []
      : [`- **kept by** ${markdownCode(oneLine(pathLine(finding.kept), 200))}`],
    ...reasons.shown.map((one) => `- **${text(one.label, 80)}** ${text(one.text)}`),
    ...reasons.more === 0 ? [] : [`- and ${reasons.more} more reasons`],
    `- **fix** ${text(finding.fix)}`,
    `- **cannot show** ${text(finding.cannotShow)}`
  ]
}
