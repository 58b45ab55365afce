/**
 * The report as text: the verdict first, then findings with evidence and advice, then how sure and what the run could not show.
 *
 * @since 0.1.0
 */
import type { Finding } from "../Finding.ts"
import { convicts } from "../Finding.ts"
import type { ProcessReport, Report } from "../Report.ts"
import { describeSite } from "../Site.ts"
import { number, size } from "../Units.ts"
import { excerpt } from "./Excerpt.ts"
import { sparkline } from "./Sparkline.ts"
import { plain } from "./Style.ts"
import type { Style } from "./Style.ts"
import { testLines } from "./tests.ts"

const mark: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

/**
 * @since 0.1.0
 * @category models
 */
export interface TextOptions {
  readonly style?: Style | undefined
  /** Columns; 100 unless told, 24 at least. */
  readonly width?: number | undefined
  /** The text of a source file, for excerpts. Default: none. */
  readonly source?: ((file: string) => string | undefined) | undefined
  /** How a source file, or a page of the documentation, is found from where the reader is. Default: its last two parts, its name. */
  readonly locate?: ((file: string) => string) | undefined
}

/**
 * Renders a report as lines of at most `width` columns.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderText = (report: Report, options?: TextOptions): string => {
  const style = options?.style ?? plain
  const width = Math.max(24, options?.width ?? 100)
  const source = options?.source ?? (() => undefined)
  const lines: Array<string> = []
  const say = (indent: string, text: string) =>
    lines.push(...wrapText(text, width - indent.length).map((line) => indent + line))

  lines.push("")
  lines.push(
    `${style.strong("fiberscope")}  ${style[mark[report.verdict]](style.strong(report.verdict.toUpperCase()))}`
  )
  say("  ", report.because)
  const end = endOf(report)
  if (end !== undefined) say("  ", end)
  const curves = signalLines(report, width)
  if (curves.length > 0) lines.push("", ...curves)
  const tests = testLines(report, options?.locate)
  if (tests.length > 0) {
    lines.push("")
    for (const line of tests) lines.push(`  ${line}`.slice(0, width))
  } else if (report.processes.length > 1) {
    lines.push("")
    for (const process of report.processes) say("  ", processLine(process))
  }
  const guilty = report.findings.filter(convicts)
  guilty.forEach((finding, index) => {
    const [title, ...more] = wrapText(finding.summary, width - 5)
    lines.push("", `  ${style.bad(`${index + 1}`)}  ${style.strong(title!)}`)
    for (const line of more) lines.push(`     ${style.strong(line)}`)
    const [site] = [finding.site, ...finding.waits].filter((one) => one.line !== undefined)
    if (site !== undefined) lines.push(...excerptLines(site, source, style, width))
    for (const text of findingTexts(finding, width, options?.locate)) say("     ", text)
  })
  for (const { accepted, fingerprint, summary } of report.findings) {
    if (accepted !== undefined) {
      lines.push("")
      say("  ", `accepted until ${accepted.until}: ${summary} (${accepted.reason}; ${fingerprint})`)
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
  for (const note of new Set(report.processes.flatMap(({ notes = [] }) => notes))) quiet(`note: ${note}`)
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
  // What is left of the line in a narrow window says more than a line that wraps.
  const digits = String(lines.at(-1)?.line ?? 0).length
  return lines.map(({ guilty, line, text }) => {
    const shown = `${guilty ? ">" : " "} ${String(line).padStart(digits)} │ ${text}`.slice(0, width - 5)
    return `     ${guilty ? style.bad(shown) : style.faint(shown)}`
  })
}

/** The place as one can open it from here, where that is known. */
const placeOf = (site: Finding["site"], locate: TextOptions["locate"]): string => {
  if (locate === undefined || site.file === undefined || site.line === undefined) return describeSite(site)
  const at = `${locate(site.file)}:${site.line}${site.column === undefined ? "" : `:${site.column}`}`
  return site.name === "(anonymous)" ? at : `${site.name} (${at})`
}

const findingTexts = (finding: Finding, width: number, locate: TextOptions["locate"]): ReadonlyArray<string> => {
  const at = placeOf(finding.site, locate)
  const from = finding.chain.map((site) => placeOf(site, locate)).filter((one) => one !== at).slice(0, 2)
  const strip = finding.survivors.some((count) => count > 0)
    ? [
      `born   ${
        sparkline(finding.survivors, Math.min(20, Math.max(5, width - 40)), 0)
      } start → end of the run: those alive now, by birth`
    ]
    : []
  return [
    `at     ${at}`,
    ...from.map((one) => `from   ${one}`),
    ...finding.waits.slice(0, 2).map((one) => `waits  ${placeOf(one, locate)}`),
    `grows  ${growth(finding)}${finding.bytes > 0 ? `, holds at least ${size(finding.bytes)}` : ""}`,
    ...strip,
    ...finding.evidence.filter(({ label }) => label !== "waits").map(({ label, text }) => `why    ${label}: ${text}`),
    `sure   ${(finding.confidence * 100).toFixed(1)} %. Cannot show: ${finding.cannotShow}`,
    `fix    ${finding.fix}`,
    `more   ${locate?.(finding.docs) ?? finding.docs}`,
    `key    ${finding.fingerprint} (to accept it for a while: fiberscope.accepted.json)`
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
    const ends = `${render(values[0]!)} → ${render(values.at(-1)!)}`
    const cells = Math.max(8, Math.min(48, width - 40))
    // Where not all of it fits, the numbers say more than the curve, and the last one most.
    const shorter = [`${sparkline(values, cells).padEnd(cells)}  ${ends}`, ends, render(values.at(-1)!)]
      .map((text) => `  ${label.padEnd(12)} ${text}`)
    return [shorter.find((text) => text.length <= width) ?? shorter.at(-1)!]
  }
  return [
    ...line("fibers.live", "live fibers", number),
    ...line("heap.floor", "heap floor", size),
    ...line("rss", "rss", size)
  ]
}

/** An end that nobody asked for, and one that had to be forced. */
const endOf = ({ program: { code, signal, stoppedByTool } }: Report): string | undefined =>
  stoppedByTool
    ? signal === "SIGKILL" ? "the program did not end in time after SIGTERM, and was killed" : undefined
    : signal !== undefined
    ? `the program was ended by ${signal}`
    : code !== undefined && code !== 0
    ? `the program ended by itself with code ${code}`
    : undefined

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
    report.versions.node === "unknown" ? undefined : `node ${report.versions.node}`,
    `fiberscope ${report.versions.fiberscope}`
  ]
  return [report.program.command.join(" "), [...seen, ...versions].filter((part) => part !== undefined).join(" · ")]
}

const wrapText = (text: string, width: number): ReadonlyArray<string> => {
  const hanging = /^(\w+ {2,})(?=\S)/.exec(text)?.[1] ?? ""
  const indent = hanging.length >= 6 && hanging.length <= 8 ? " ".repeat(hanging.length) : ""
  const out: Array<string> = []
  let line = hanging
  let empty = true
  for (const word of text.slice(hanging.length).split(/ (?=\S)/)) {
    let rest = word
    if (!empty && line.length + 1 + rest.length > width) {
      out.push(line)
      line = indent
      empty = true
    }
    while (line.length + rest.length > width && empty) {
      // A path that fits into no line is cut where it fills one.
      const room = Math.max(1, width - line.length)
      out.push(line + rest.slice(0, room))
      rest = rest.slice(room)
      line = indent
    }
    line += empty ? rest : ` ${rest}`
    empty = false
  }
  if (!empty) out.push(line)
  return out
}
