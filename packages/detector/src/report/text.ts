/**
 * The report as text: the verdict first, then findings with evidence and advice, then how sure and what the run could not show.
 *
 * @since 0.1.0
 */
import type { Finding, Site } from "../Finding.ts"
import { convicts } from "../Finding.ts"
import type { Report } from "../Report.ts"
import { describeSite } from "../Site.ts"
import { sparkline } from "./Sparkline.ts"
import { plain } from "./Style.ts"
import type { Style } from "./Style.ts"

const mark: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

/**
 * Renders a report as lines of at most `width` columns.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderText = (
  report: Report,
  options?: { readonly style?: Style | undefined; readonly width?: number | undefined }
): string => {
  const style = options?.style ?? plain
  const width = Math.max(40, options?.width ?? 100)
  const lines: Array<string> = []
  const say = (indent: string, text: string) =>
    lines.push(...wrapText(text, width - indent.length).map((line) => indent + line))

  lines.push("")
  lines.push(
    `${style.strong("fiberscope")}  ${style[mark[report.verdict]](style.strong(report.verdict.toUpperCase()))}  ${
      report.program.command.join(" ")
    }`
  )
  say("  ", report.because)
  lines.push("")
  lines.push(...signalLines(report, width))
  const guilty = report.findings.filter(convicts)
  guilty.forEach((finding, index) => {
    lines.push("")
    findingLines(finding, index + 1, style, say, (line) => lines.push(line))
  })
  // Beside a leak, a threshold that was passed is no news.
  for (const finding of guilty.length > 0 ? [] : report.findings) {
    lines.push("")
    say("  ", style.faint(`note: ${finding.summary}. ${finding.cannotShow}`))
  }
  if (report.undecided.length > 0) {
    lines.push("")
    lines.push(`  ${style.unsure("not decided")}`)
    for (const { what, why, wouldTake } of report.undecided.slice(0, 5)) {
      say("    ", `${what}: ${why}. It would take ${wouldTake}.`)
    }
  }
  lines.push("")
  say("  ", style.faint(footer(report)))
  for (const problem of report.processes.flatMap(({ problems }) => problems)) {
    say("  ", style.faint(`switched off: ${problem}`))
  }
  return lines.join("\n") + "\n"
}

const findingLines = (
  finding: Finding,
  number: number,
  style: Style,
  say: (indent: string, text: string) => void,
  push: (line: string) => void
): void => {
  push(`  ${style.bad(`${number}`)}  ${style.strong(finding.summary)}`)
  say("     ", `at     ${where(finding.site)}`)
  for (const site of finding.chain.filter((one) => where(one) !== where(finding.site)).slice(0, 2)) {
    say("     ", `from   ${where(site)}`)
  }
  for (const site of finding.waits.slice(0, 2)) say("     ", `waits  ${where(site)}`)
  say("     ", `grows  ${growth(finding)}${finding.bytes > 0 ? `, holds at least ${size(finding.bytes)}` : ""}`)
  for (const { label, text } of finding.evidence) if (label !== "waits") say("     ", `why    ${label}: ${text}`)
  say("     ", `sure   ${(finding.confidence * 100).toFixed(1)} %. Cannot show: ${finding.cannotShow}`)
  say("     ", `fix    ${finding.fix}`)
}

const where = (site: Site): string => describeSite(site)

const growth = ({ growth: { perSecond, unit } }: Finding): string =>
  unit === "bytes"
    ? `${size(perSecond)}/s (${size(perSecond * 3600)}/h)`
    : `${number(perSecond)} ${unit}/s (${number(perSecond * 3600)}/h)`

const signalLines = (report: Report, width: number): ReadonlyArray<string> => {
  const line = (name: string, label: string, render: (value: number) => string): ReadonlyArray<string> => {
    const values = report.signals[name]?.points.map(([, value]) => value) ?? []
    if (values.length < 2) return []
    const cells = Math.max(10, Math.min(48, width - 46))
    return [
      `  ${label.padEnd(12)} ${sparkline(values, cells).padEnd(cells)}  ${render(values[0]!)} → ${
        render(values.at(-1)!)
      }`
    ]
  }
  return [...line("fibers.live", "live fibers", number), ...line("heap.floor", "heap floor", size)]
}

const footer = (report: Report): string => {
  const [first] = report.processes
  const paused = report.processes.reduce((sum, { readings }) => sum + readings.pausedMs, 0)
  const readings = report.processes.reduce((sum, { readings: { count } }) => sum + count, 0)
  const parts = [
    `${(report.durationMs / 1000).toFixed(1)} s`,
    first === undefined ? undefined : `${number(first.fibers.started)} fibers started`,
    readings > 0
      ? `${readings} readings stopped the program for ${Math.round(paused)} ms (${
        (100 * paused / report.durationMs).toFixed(1)
      } %)`
      : undefined,
    report.processes.length > 1 ? `${report.processes.length} processes with effect` : undefined,
    `effect ${report.versions.effect.join(", ") || "not found"}`,
    `node ${report.versions.node}`
  ]
  return parts.filter((part) => part !== undefined).join(" · ")
}

/** 3 400 000 → `3.2 MB`. */
export const size = (bytes: number): string => {
  const abs = Math.abs(bytes)
  if (abs >= 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(1)} GB`
  if (abs >= 1024 ** 2) return `${(bytes / 1024 ** 2).toFixed(1)} MB`
  if (abs >= 1024) return `${Math.round(bytes / 1024)} KB`
  return `${Math.round(bytes)} B`
}

/** 12345 → `12 345`; small numbers keep a decimal. */
export const number = (value: number): string =>
  Math.abs(value) < 10 && !Number.isInteger(value)
    ? value.toFixed(1)
    : String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f")

const wrapText = (text: string, width: number): ReadonlyArray<string> => {
  const hanging = /^(\w+\s+)(?=\S)/.exec(text)?.[1] ?? ""
  const indent = hanging.length >= 6 && hanging.length <= 8 ? " ".repeat(hanging.length) : ""
  const out: Array<string> = []
  let line = ""
  for (const word of text.split(/ (?=\S)/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      out.push(line)
      line = indent + word
    } else line = line === "" ? word : `${line} ${word}`
  }
  if (line !== "") out.push(line)
  return out
}
