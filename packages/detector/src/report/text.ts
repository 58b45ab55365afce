/** The report as text: the verdict, then findings with evidence and advice, then the limits of the run. */
import { constants } from "node:os"
import type { Finding } from "../Finding.ts"
import { pathLine } from "../places/HeapPathText.ts"
import { describeSite } from "../places/Site.ts"
import { number, size } from "../text/Units.ts"
import { longest, oneLine } from "../text/Untrusted.ts"
import { bounded, busiestFirst, countVerdicts, most, worstFirst } from "./Bounded.ts"
import { columnsOf, cut, fitting, piece, wrap } from "./Columns.ts"
import { excerpt } from "./Excerpt.ts"
import { renderer } from "./Renderer.ts"
import type { ProcessReport, Report } from "./Report.ts"
import { sparkline } from "./Sparkline.ts"
import { plain } from "./Style.ts"
import type { Style } from "./Style.ts"
import { testLines } from "./tests.ts"

const mark: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

export interface TextOptions {
  readonly style?: Style | undefined
  /** The width in columns, at least 24. Default: 100. */
  readonly width?: number | undefined
  /** The text of a source file, for excerpts. Default: none. */
  readonly source?: ((file: string) => string | undefined) | undefined
  /** The path of a source file or a page of the documentation as the reader can open it. Default: the last two parts of a path. */
  readonly locate?: ((file: string) => string) | undefined
}

/** Renders a report as lines of at most `width` columns. Lists are bounded, and the omitted items are counted. */
export const renderText = renderer((report: Report, options?: TextOptions): string => {
  const style = options?.style ?? plain
  const width = Math.max(24, options?.width ?? 100)
  const source = options?.source ?? (() => undefined)
  const lines: Array<string> = []
  const say = (indent: string, text: string) =>
    lines.push(...wrap(text, width - indent.length).map((line) => indent + line))

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
    for (const line of tests) lines.push(cut(`  ${line}`, width))
  }
  // Processes that ran tests are in the lines above already.
  const ranTests = new Set(report.tests?.map(({ pid, thread }) => `${pid}/${thread}`))
  const processes = busiestFirst(report.processes.filter(({ pid, thread }) => !ranTests.has(`${pid}/${thread}`)))
  if (report.processes.length > 1 && processes.length > 0) {
    lines.push("")
    for (const process of processes.slice(0, most.processes)) say("  ", processLine(process))
    const rest = processes.slice(most.processes)
    if (rest.length > 0) say("  ", `and ${rest.length} more processes and threads: ${countVerdicts(rest)}`)
  }
  const leaks = worstFirst(report.findings)
  const title = (index: number, summary: string) => {
    const number = String(index + 1).padEnd(2)
    const [first, ...more] = wrap(summary, width - 5)
    lines.push(`  ${style.bad(number)} ${style.strong(first ?? "")}`)
    for (const line of more) lines.push(`     ${style.strong(line)}`)
  }
  leaks.slice(0, most.findings).forEach((finding, index) => {
    lines.push("")
    title(index, finding.summary)
    const [site] = [finding.site, ...finding.waits].filter((one) => one.line !== undefined)
    if (site !== undefined) lines.push(...excerptLines(site, source, style, width))
    for (const text of findingTexts(finding, width, options?.locate)) say("     ", text)
    for (const line of keyLines(finding.fingerprint, width)) lines.push(`     ${line}`)
  })
  const others = bounded(leaks.slice(most.findings), most.summaries)
  if (others.shown.length > 0) lines.push("")
  others.shown.forEach(({ summary }, index) => title(most.findings + index, summary))
  if (others.more > 0) say("  ", `and ${others.more} more leaks: --json <file> lists all`)
  const accepted = bounded(report.findings.filter((finding) => finding.accepted !== undefined), most.accepted)
  for (const { accepted: by, fingerprint, summary } of accepted.shown) {
    lines.push("")
    say("  ", `accepted until ${by?.until}: ${summary} (${by?.reason}; ${fingerprint})`)
  }
  if (accepted.more > 0) say("  ", `and ${accepted.more} more accepted findings`)
  // Notes about exceeded thresholds are left out when there is a leak.
  const notes = bounded(
    leaks.length > 0 ? [] : report.findings.filter(({ severity }) => severity === "info"),
    most.notes
  )
  for (const finding of notes.shown) {
    lines.push("")
    say("  ", `note: ${finding.summary}. ${finding.cannotShow}`)
  }
  if (notes.more > 0) say("  ", `and ${notes.more} more notes`)
  const undecided = bounded(report.undecided, most.undecided)
  if (undecided.shown.length > 0) lines.push("", `  ${style.unsure("undecided")}`)
  for (const { what, why, wouldTake } of undecided.shown) {
    say("    ", `${what}: ${why}. To decide: ${wouldTake}.`)
  }
  if (undecided.more > 0) say("    ", `and ${undecided.more} more undecided`)
  lines.push("")
  const quiet = (text: string) => lines.push(...wrap(text, width - 2).map((line) => `  ${style.faint(line)}`))
  if (leaks.length > 0) {
    quiet(
      "next: --for 2m observes longer, --sites all finds the exact line of each fork, --json <file> writes all numbers"
    )
  }
  for (const line of footer(report)) quiet(line)
  for (const note of new Set(report.processes.flatMap(({ notes = [] }) => notes))) quiet(`note: ${note}`)
  const problems = bounded([...new Set(report.processes.flatMap(({ problems }) => problems))], most.problems)
  for (const problem of problems.shown) quiet(`not observed: ${problem}`)
  if (problems.more > 0) quiet(`and ${problems.more} more problems of the observation`)
  return lines.join("\n") + "\n"
})

const excerptLines = (
  site: Finding["site"],
  source: (file: string) => string | undefined,
  style: Style,
  width: number
): ReadonlyArray<string> => {
  const lines = excerpt(site, source)
  // A line that is too long for a narrow window is cut, because a wrapped line is harder to read.
  const digits = String(lines.at(-1)?.line ?? 0).length
  return lines.map(({ isSite, line, text }) => {
    const shown = fitting(`${isSite ? ">" : " "} ${String(line).padStart(digits)} │ ${text}`, width - 5)
    return `     ${isSite ? style.bad(shown) : style.faint(shown)}`
  })
}

/** A place whose file is written as the reader can open it, if `locate` is given. */
const placeOf = (site: Finding["site"], locate: TextOptions["locate"]): string => {
  if (locate === undefined || site.file === undefined || site.line === undefined) return describeSite(site)
  const at = `${locate(site.file)}:${site.line}${site.column === undefined ? "" : `:${site.column}`}`
  return site.name === "(anonymous)" ? at : `${site.name} (${at})`
}

const findingTexts = (finding: Finding, width: number, locate: TextOptions["locate"]): ReadonlyArray<string> => {
  const at = placeOf(finding.site, locate)
  const evidence = bounded(finding.evidence.filter(({ label }) => label !== "waits"), most.reasons)
  const from = finding.chain.map((site) => placeOf(site, locate)).filter((one) => one !== at).slice(0, 2)
  const strip = finding.survivors.some((count) => count > 0)
    ? [
      `born   ${
        sparkline(finding.survivors, Math.min(20, Math.max(5, width - 40)), 0)
      } alive now, by time of birth (start → end of the run)`
    ]
    : []
  return [
    `at     ${at}`,
    ...from.map((one) => `from   ${one}`),
    ...finding.waits.slice(0, 2).map((one) => `waits  ${placeOf(one, locate)}`),
    `grows  ${growth(finding)}${finding.bytes > 0 ? `, holds at least ${size(finding.bytes)}` : ""}`,
    ...keptTexts(finding, width - 5, locate),
    ...strip,
    ...evidence.shown.map(({ label, text }) => `why    ${label}: ${text}`),
    ...evidence.more === 0 ? [] : [`why    and ${evidence.more} more reasons`],
    ...(finding.decided === undefined
      ? []
      : [
        `by     check "${finding.decided.row}" of docs/rules.md: ${finding.decided.z} standard deviations above chance`
      ]),
    ...(finding.cannotShow === "" ? [] : [`note   this cannot show ${finding.cannotShow}`]),
    `fix    ${finding.fix}`,
    `more   ${locate?.(finding.docs) ?? finding.docs}`
  ]
}

/** The keeper, and how the number of its members changed. */
const keptTexts = ({ kept }: Finding, width: number, locate: TextOptions["locate"]): ReadonlyArray<string> => {
  if (kept === undefined) return []
  const course = kept.how === "larger"
    ? `grew by ${size(kept.bytes)}`
    : `${kept.counts.map(number).join(" → ")} × ${kept.member}, ${size(kept.bytes)} more`
  const [first = 0] = kept.counts
  const gone = kept.how === "larger" || first === 0 || kept.gone === undefined
    ? ""
    : `; ${kept.gone === 0 ? "none" : number(kept.gone)} of the first ${number(first)} ${
      kept.gone > 1 ? "are" : "is"
    } gone`
  const bound = kept.bound === undefined
    ? ""
    : `; it is filling: ${number(kept.bound.size)} of ${number(kept.bound.most)}`
  const path = `kept   by ${
    pathLine({ ...kept, path: kept.path.slice(0, most.names) }, (site) => placeOf(site, locate))
  }`
  return [
    path,
    ...underline(path, kept.keeper, width),
    `       ${course} in ${Math.round(kept.seconds)} s${gone}${bound}`
  ]
}

/** A line below the suspect, if the line above is not broken. */
const underline = (line: string, suspect: string, width: number): ReadonlyArray<string> => {
  const at = line.indexOf(suspect, "kept   by ".length)
  return suspect === "" || at < 0 || columnsOf(line) > width
    ? []
    : [`${" ".repeat(columnsOf(line.slice(0, at)))}${"~".repeat(columnsOf(suspect))}`]
}

/** The lines of a key. People copy a key, so it is not broken at spaces, and not at all if it fits into a line. */
const keyLines = (key: string, width: number): ReadonlyArray<string> => {
  const room = width - 5 - keyLabel.length
  const lines: Array<string> = []
  for (let rest = key; rest !== "";) {
    const part = columnsOf(rest) <= room ? rest : piece(rest, room)
    lines.push(part)
    rest = rest.slice(part.length)
  }
  const together = `${lines.at(-1) ?? ""} ${keyHint}`
  if (columnsOf(together) <= room) lines.splice(-1, 1, together)
  else lines.push(...wrap(keyHint, room))
  return lines.map((line, i) => (i === 0 ? keyLabel : " ".repeat(keyLabel.length)) + line)
}

const keyLabel = "key    "
const keyHint = "(to accept this, add it to fiberscope.accepted.json)"

const growth = ({ growth: { perSecond, unit } }: Finding): string =>
  unit === "bytes"
    ? `${size(perSecond)}/s (${size(perSecond * 3600)}/h)`
    : `${number(perSecond)} ${unit}/s (${number(perSecond * 3600)}/h)`

const processLine = ({ argv, because, fibers, pid, thread, verdict }: ProcessReport): string =>
  `${verdict.padEnd(9)}  pid ${pid}${thread === 0 ? "" : `, worker ${thread}`}  ${
    oneLine(argv.slice(1).join(" "), longest.name)
  }: `
  + `${startedOf(fibers.started)}, ${number(fibers.live)} live; ${because}`

const signalLines = (report: Report, width: number): ReadonlyArray<string> => {
  const line = (name: string, label: string, render: (value: number) => string): ReadonlyArray<string> => {
    const values = report.signals[name]?.points.map(([, value]) => value) ?? []
    if (values.length < 2) return []
    // The heap of a program falls after its start, which says nothing of a leak.
    const first = name === "heap.floor" ? `${render(Math.min(...values))} (lowest)` : render(values[0]!)
    const ends = `${first} → ${render(values.at(-1)!)}`
    const cells = Math.max(8, Math.min(48, width - 40))
    // If the line is too long, the curve is dropped first and then the first number.
    const shorter = [`${sparkline(values, cells).padEnd(cells)}  ${ends}`, ends, render(values.at(-1)!)]
      .map((text) => `  ${label.padEnd(12)} ${text}`)
    return [cut(shorter.find((text) => columnsOf(text) <= width) ?? shorter.at(-1)!, width)]
  }
  return [
    ...line("fibers.live", "live fibers", number),
    ...line("heap.floor", "heap floor", size),
    ...line("rss", "rss", size)
  ]
}

/** A sentence about an end that was not requested, or that had to be forced. */
const endOf = ({ program: { code, signal, stoppedByTool } }: Report): string | undefined =>
  stoppedByTool
    ? signal === "SIGKILL" ? "the program did not end in time after SIGTERM and was killed" : undefined
    : signal !== undefined
    ? `the program was ended by ${signal}`
    : code !== undefined && code !== 0
    ? `the program ended ${bySignal(code) ?? "by itself"} with code ${code}`
    : undefined

/** A program that handles a signal ends with 128 and the number of the signal, as a shell would report it. */
const bySignal = (code: number): string | undefined => {
  const [name] = Object.entries(constants.signals).find(([, number]) => code === 128 + number) ?? []
  return name === undefined ? undefined : `after ${name}`
}

const startedOf = (count: number): string => `${number(count)} ${count === 1 ? "fiber" : "fibers"} started`

const longestCommand = 300

const footer = (report: Report): ReadonlyArray<string> => {
  const [first] = report.processes
  const paused = report.processes.reduce((sum, { readings }) => sum + readings.pausedMs, 0)
  const readings = report.processes.reduce((sum, { readings: { count } }) => sum + count, 0)
  const share = report.durationMs > 0 ? (100 * paused / report.durationMs).toFixed(1) : "0"
  const snapshots = report.processes.reduce((sum, one) => sum + (one.heapSnapshots?.count ?? 0), 0)
  const pausedMs = report.processes.reduce((sum, one) => sum + (one.heapSnapshots?.pausedMs ?? 0), 0)
  const seen = [
    `${(report.durationMs / 1000).toFixed(1)} s`,
    first === undefined
      ? undefined
      : startedOf(report.processes.reduce((sum, { fibers }) => sum + fibers.started, 0)),
    readings > 0 ? `${readings} heap readings paused it for ${Math.round(paused)} ms (${share} %)` : undefined,
    snapshots > 0 ? `${snapshots} heap snapshots paused it for ${Math.round(pausedMs)} ms` : undefined
  ]
  const stacks = report.processes.reduce((sum, { forkLines }) => sum + (forkLines?.stacks ?? 0), 0)
  const stacksMs = report.processes.reduce((sum, { forkLines }) => sum + (forkLines?.ms ?? 0), 0)
  if (stacks > 0) seen.push(`${number(stacks)} stacks for fork lines took ${Math.round(stacksMs)} ms`)
  const versions = [
    `effect ${report.versions.effect.join(", ") || "not found"}`,
    report.versions.node === "unknown" ? undefined : `node ${report.versions.node}`,
    `fiberscope ${report.versions.fiberscope}`
  ]
  return [
    oneLine(report.program.command.join(" "), longestCommand),
    oneLine([...seen, ...versions].filter((part) => part !== undefined).join(" · "))
  ]
}
