/**
 * The report as text: the verdict first, then findings with evidence and advice, then how sure and what the run could not show.
 *
 * @since 0.1.0
 */
import type { Finding } from "../Finding.ts"
import { convicts } from "../Finding.ts"
import type { ProcessReport, Report } from "../Report.ts"
import { describeSite } from "../Site.ts"
import { excerpt } from "./Excerpt.ts"
import { sparkline } from "./Sparkline.ts"
import { plain } from "./Style.ts"
import type { Style } from "./Style.ts"
import { number, size } from "./Units.ts"

const mark: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

/**
 * @since 0.1.0
 * @category models
 */
export interface TextOptions {
  readonly style?: Style | undefined
  /** Columns; 100 unless told, 40 at least. */
  readonly width?: number | undefined
  /** The text of a source file, for excerpts. Default: none. */
  readonly source?: ((file: string) => string | undefined) | undefined
}

/**
 * Renders a report as lines of at most `width` columns.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderText = (report: Report, options?: TextOptions): string => {
  const style = options?.style ?? plain
  const width = Math.max(40, options?.width ?? 100)
  const source = options?.source ?? (() => undefined)
  const lines: Array<string> = []
  const say = (indent: string, text: string) =>
    lines.push(...wrapText(text, width - indent.length).map((line) => indent + line))

  lines.push("")
  lines.push(
    `${style.strong("fiberscope")}  ${style[mark[report.verdict]](style.strong(report.verdict.toUpperCase()))}`
  )
  say("  ", report.because)
  lines.push("")
  lines.push(...signalLines(report, width))
  if (report.processes.length > 1) {
    lines.push("")
    for (const process of report.processes) say("  ", processLine(process))
  }
  const guilty = report.findings.filter(convicts)
  guilty.forEach((finding, index) => {
    lines.push("", `  ${style.bad(`${index + 1}`)}  ${style.strong(wrapText(finding.summary, width - 5)[0]!)}`)
    for (const line of wrapText(finding.summary, width - 5).slice(1)) lines.push(`     ${style.strong(line)}`)
    const [site] = [finding.site, ...finding.waits].filter((one) => one.line !== undefined)
    if (site !== undefined) lines.push(...excerptLines(site, source, style, width))
    for (const text of findingTexts(finding, width)) say("     ", text)
  })
  for (const { accepted, fingerprint, summary } of report.findings) {
    if (accepted !== undefined) {
      lines.push("", `  accepted until ${accepted.until}: ${summary} (${accepted.reason}; ${fingerprint})`)
    }
  }
  // Beside a leak, a threshold that was passed is no news.
  for (const finding of guilty.length > 0 ? [] : report.findings.filter(({ severity }) => severity === "info")) {
    lines.push("")
    say("  ", `note: ${finding.summary}. ${finding.cannotShow}`)
  }
  if (report.undecided.length > 0) {
    lines.push("", `  ${style.unsure("not decided")}`)
    for (const { what, why, wouldTake } of report.undecided.slice(0, 5)) {
      say("    ", `${what}: ${why}. It would take ${wouldTake}.`)
    }
  }
  lines.push("")
  const quiet = (text: string) => lines.push(...wrapText(text, width - 2).map((line) => `  ${style.faint(line)}`))
  if (guilty.length > 0) {
    quiet(
      "look closer: --for 2m for a surer verdict, --sites all for the exact lines of forks, --json file for all numbers"
    )
  }
  for (const line of footer(report)) quiet(line)
  for (const problem of new Set(report.processes.flatMap(({ problems }) => problems))) quiet(`switched off: ${problem}`)
  return lines.join("\n") + "\n"
}

const excerptLines = (
  site: Finding["site"],
  source: (file: string) => string | undefined,
  style: Style,
  width: number
): ReadonlyArray<string> => {
  const lines = excerpt(site, source)
  const digits = String(lines.at(-1)?.line ?? 0).length
  return lines.map(({ guilty, line, text }) => {
    const shown = `${guilty ? ">" : " "} ${String(line).padStart(digits)} │ ${text}`.slice(0, width - 5)
    return `     ${guilty ? style.bad(shown) : style.faint(shown)}`
  })
}

const findingTexts = (finding: Finding, width: number): ReadonlyArray<string> => {
  const at = describeSite(finding.site)
  const from = finding.chain.map(describeSite).filter((one) => one !== at).slice(0, 2)
  const strip = finding.survivors.some((count) => count > 0)
    ? [
      `born   ${
        sparkline(finding.survivors, Math.min(20, width - 40), 0)
      } start → end of the run: those alive now, by birth`
    ]
    : []
  return [
    `at     ${at}`,
    ...from.map((one) => `from   ${one}`),
    ...finding.waits.slice(0, 2).map((one) => `waits  ${describeSite(one)}`),
    `grows  ${growth(finding)}${finding.bytes > 0 ? `, holds at least ${size(finding.bytes)}` : ""}`,
    ...strip,
    ...finding.evidence.filter(({ label }) => label !== "waits").map(({ label, text }) => `why    ${label}: ${text}`),
    `sure   ${(finding.confidence * 100).toFixed(1)} %. Cannot show: ${finding.cannotShow}`,
    `fix    ${finding.fix}`,
    `more   ${finding.docs}`,
    `known  ${finding.fingerprint}`
  ]
}

const growth = ({ growth: { perSecond, unit } }: Finding): string =>
  unit === "bytes"
    ? `${size(perSecond)}/s (${size(perSecond * 3600)}/h)`
    : `${number(perSecond)} ${unit}/s (${number(perSecond * 3600)}/h)`

const processLine = ({ argv, because, fibers, pid, thread, verdict }: ProcessReport): string =>
  `${verdict.padEnd(9)}  pid ${pid}${thread === 0 ? "" : `, worker ${thread}`}  ${argv.slice(1).join(" ")}: `
  + `${number(fibers.started)} fibers, ${number(fibers.live)} live; ${because}`

const signalLines = (report: Report, width: number): ReadonlyArray<string> => {
  const line = (name: string, label: string, render: (value: number) => string): ReadonlyArray<string> => {
    const values = report.signals[name]?.points.map(([, value]) => value) ?? []
    if (values.length < 2) return []
    const cells = Math.max(8, Math.min(48, width - 40))
    return [
      `  ${label.padEnd(12)} ${sparkline(values, cells).padEnd(cells)}  ${render(values[0]!)} → ${
        render(values.at(-1)!)
      }`
        .slice(0, width)
    ]
  }
  return [
    ...line("fibers.live", "live fibers", number),
    ...line("heap.floor", "heap floor", size),
    ...line("rss", "rss", size)
  ]
}

const footer = (report: Report): ReadonlyArray<string> => {
  const [first] = report.processes
  const paused = report.processes.reduce((sum, { readings }) => sum + readings.pausedMs, 0)
  const readings = report.processes.reduce((sum, { readings: { count } }) => sum + count, 0)
  const share = report.durationMs > 0 ? (100 * paused / report.durationMs).toFixed(1) : "0"
  const seen = [
    `${(report.durationMs / 1000).toFixed(1)} s`,
    first === undefined
      ? undefined
      : `${number(report.processes.reduce((sum, { fibers }) => sum + fibers.started, 0))} fibers started`,
    readings > 0 ? `${readings} readings of the heap stopped it for ${Math.round(paused)} ms (${share} %)` : undefined
  ]
  const stacks = report.processes.reduce((sum, { forkLines }) => sum + (forkLines?.stacks ?? 0), 0)
  const stacksMs = report.processes.reduce((sum, { forkLines }) => sum + (forkLines?.ms ?? 0), 0)
  if (stacks > 0) seen.push(`${number(stacks)} stacks for fork lines took ${Math.round(stacksMs)} ms`)
  const versions = [
    `effect ${report.versions.effect.join(", ") || "not found"}`,
    `node ${report.versions.node}`,
    `fiberscope ${report.versions.fiberscope}`
  ]
  return [report.program.command.join(" "), [...seen, ...versions].filter((part) => part !== undefined).join(" · ")]
}

const wrapText = (text: string, width: number): ReadonlyArray<string> => {
  const hanging = /^(\w+ {2,})(?=\S)/.exec(text)?.[1] ?? ""
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
