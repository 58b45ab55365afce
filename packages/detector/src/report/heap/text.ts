/** The report of `fiberscope heap` as text. */
import { pathLine } from "../../places/HeapPathText.ts"
import { number, size } from "../../text/Units.ts"
import { cut, wrap } from "../Columns.ts"
import { renderer } from "../Renderer.ts"
import { plain } from "../Style.ts"
import type { Style } from "../Style.ts"
import type { HeapReport } from "./HeapReport.ts"
import { courseOf, entriesOf, fibersText, headline, membersOf } from "./sentences.ts"

/** The number of lines of each list. `--json` has more. */
const most = { growth: 10, held: 10, fibers: 15, containers: 10, classes: 15 } as const

/** Renders a report as lines of at most `width` columns. */
export const renderHeapText = renderer((report: HeapReport, options?: {
  readonly style?: Style | undefined
  readonly width?: number | undefined
}): string => {
  const style = options?.style ?? plain
  const width = Math.max(24, options?.width ?? 100)
  const lines: Array<string> = ["", style.strong("fiberscope heap")]
  const say = (indent: string, text: string) =>
    void lines.push(...wrap(text, Math.max(8, width - indent.length)).map((line) => indent + line))
  const title = (text: string) => void lines.push("", ...wrap(text, width - 2).map((line) => `  ${style.strong(line)}`))
  const more = (rest: number, what: string): void => {
    if (rest > 0) say("     ", `and ${rest} more ${what} (--json)`)
  }
  say("  ", headline(report))

  if (report.growth !== undefined) {
    title(report.growth.length === 0 ? "no path grew" : "growing paths")
    report.growth.slice(0, most.growth).forEach((path, i) => {
      const [first, ...rest] = wrap(pathLine(path), width - 5)
      lines.push(`  ${style.bad(String(i + 1).padEnd(2))} ${first ?? ""}`)
      for (const line of rest) lines.push(`     ${line}`)
      say("     ", courseOf(path))
    })
    more(report.growth.length - most.growth, "paths")
  }
  blockedLines(report, title, say)
  title("memory is held by")
  for (const holder of report.held.slice(0, most.held)) {
    const [first, ...rest] = wrap(pathLine(holder), Math.max(8, width - 14))
    lines.push(cut(`  ${size(holder.held).padStart(9)}   ${first ?? ""}`, width))
    for (const line of rest) lines.push(`              ${line}`)
    if (membersOf(holder) !== "") say("              ", membersOf(holder))
  }
  more(report.held.length - most.held, "objects")
  if (report.fibers.alive > 0) fiberLines(report, title, say, more)
  if (report.containers.length > 0) {
    title("containers")
    for (const container of report.containers.slice(0, most.containers)) {
      const entries = entriesOf(container).padStart(9)
      say("  ", `${entries}   ${pathLine(container)}${isNamed(container) ? "" : ` (${container.kind})`}`)
    }
    more(report.containers.length - most.containers, "containers")
  }
  title("classes")
  lines.push(style.faint(cut(row("objects", "size", "retained", "class"), width)))
  for (const { bytes, count, name, retained } of report.classes.slice(0, most.classes)) {
    lines.push(cut(row(number(count), size(bytes), size(retained), name), width))
  }
  more(report.classes.length - most.classes, "classes")
  if (report.strings !== undefined) {
    title("longest strings")
    for (const { bytes, text } of report.strings) lines.push(cut(`  ${size(bytes).padStart(9)}   ${text}`, width))
  }
  return lines.join("\n") + "\n"
})

const row = (...[count, bytes, retained, name]: ReadonlyArray<string>): string =>
  `  ${count!.padStart(9)} ${bytes!.padStart(9)} ${retained!.padStart(9)}   ${name}`

/** Whether a path names the kind of its container already. */
const isNamed = ({ kind, path }: HeapReport["containers"][number]): boolean => path.at(-1)?.startsWith(kind) === true

const fiberLines = (
  { fibers, undecided }: HeapReport,
  title: (text: string) => void,
  say: (indent: string, text: string) => void,
  more: (rest: number, what: string) => void
): void => {
  const ended = fibers.ended === 0 ? "" : `, and ${number(fibers.ended)} that have ended are still in memory`
  title(`${number(fibers.alive)} fibers are alive${ended}`)
  for (const group of fibers.groups.slice(0, most.fibers)) {
    say(`     ${"  ".repeat(Math.min(group.level, 4))}`, fibersText(group))
  }
  more(fibers.groups.length - most.fibers, "groups of fibers")
  if (undecided !== undefined) say("  ", `Whether fibers are blocked forever is not known: ${undecided}.`)
}

const blockedLines = (
  { blocked, heldFibers }: HeapReport,
  title: (text: string) => void,
  say: (indent: string, text: string) => void
): void => {
  if (blocked.length > 0) {
    title("blocked forever: nothing in memory can resume them")
    for (const group of blocked.slice(0, most.fibers)) say("     ", fibersText(group))
  }
  if (heldFibers.length > 0) {
    title("nothing resumes them, but code that can run could interrupt them")
    for (const group of heldFibers.slice(0, most.fibers)) say("     ", fibersText(group))
  }
}
