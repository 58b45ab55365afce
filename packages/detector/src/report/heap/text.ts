/** The report of `fiberscope heap` as text. */
import { pathLine } from "../../places/HeapPathText.ts"
import { number, size } from "../../text/Units.ts"
import { cut, wrap } from "../Columns.ts"
import { renderer } from "../Renderer.ts"
import { plain } from "../Style.ts"
import type { Style } from "../Style.ts"
import type { HeapReport } from "./HeapReport.ts"
import { courseOf, headline, membersOf } from "./sentences.ts"

/** The number of lines of each list. `--json` has more. */
const most = { growth: 10, held: 10, classes: 15 } as const

/** Renders a report as lines of at most `width` columns. */
export const renderHeapText = renderer((report: HeapReport, options?: {
  readonly style?: Style | undefined
  readonly width?: number | undefined
}): string => {
  const style = options?.style ?? plain
  const width = Math.max(24, options?.width ?? 100)
  const lines: Array<string> = ["", style.strong("fiberscope heap")]
  const say = (indent: string, text: string) =>
    lines.push(...wrap(text, width - indent.length).map((line) => indent + line))
  const title = (text: string) => lines.push("", `  ${style.strong(text)}`)
  say("  ", headline(report))

  if (report.growth !== undefined) {
    title(report.growth.length === 0 ? "no path grew" : "growing paths")
    report.growth.slice(0, most.growth).forEach((path, i) => {
      const [first, ...rest] = wrap(pathLine(path), width - 5)
      lines.push(`  ${style.bad(String(i + 1).padEnd(2))} ${first ?? ""}`)
      for (const line of rest) lines.push(`     ${line}`)
      say("     ", courseOf(path))
    })
    more(lines, report.growth.length - most.growth, "paths")
  }
  title("memory is held by")
  for (const holder of report.held.slice(0, most.held)) {
    const [first, ...rest] = wrap(pathLine(holder), Math.max(8, width - 14))
    lines.push(cut(`  ${size(holder.held).padStart(9)}   ${first ?? ""}`, width))
    for (const line of rest) lines.push(`              ${line}`)
    if (membersOf(holder) !== "") say("              ", membersOf(holder))
  }
  more(lines, report.held.length - most.held, "objects")
  title("classes")
  lines.push(style.faint(cut(row("objects", "size", "retained", "class"), width)))
  for (const { bytes, count, name, retained } of report.classes.slice(0, most.classes)) {
    lines.push(cut(row(number(count), size(bytes), size(retained), name), width))
  }
  more(lines, report.classes.length - most.classes, "classes")
  if (report.strings !== undefined) {
    title("longest strings")
    for (const { bytes, text } of report.strings) lines.push(cut(`  ${size(bytes).padStart(9)}   ${text}`, width))
  }
  return lines.join("\n") + "\n"
})

const row = (...[count, bytes, retained, name]: ReadonlyArray<string>): string =>
  `  ${count!.padStart(9)} ${bytes!.padStart(9)} ${retained!.padStart(9)}   ${name}`

const more = (lines: Array<string>, rest: number, what: string): void => {
  if (rest > 0) lines.push(`     and ${rest} more ${what} (--json)`)
}
