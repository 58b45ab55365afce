/** The report of `fiberscope heap` as Markdown. */
import { pathLine } from "../../places/HeapPathText.ts"
import { number, size } from "../../text/Units.ts"
import { markdown, markdownCode, oneLine } from "../../text/Untrusted.ts"
import { renderer } from "../Renderer.ts"
import type { HeapReport } from "./HeapReport.ts"
import { courseOf, entriesOf, fibersText, headline, membersOf } from "./sentences.ts"

const most = { growth: 20, held: 10, fibers: 20, containers: 10, classes: 15, path: 200 } as const

/** Renders a report for a summary of a job or a comment. */
export const renderHeapMarkdown = renderer((report: HeapReport): string => {
  const lines = ["## Fiberscope: heap", "", markdown(headline(report))]
  if (report.growth !== undefined) {
    lines.push("", report.growth.length === 0 ? "**No path grew.**" : "### Growing paths", "")
    for (const path of report.growth.slice(0, most.growth)) {
      lines.push(`- ${pathText(path)}: ${markdown(courseOf(path))}`)
    }
  }
  lines.push("", "### Memory is held by", "", "| held | path | members |", "| --: | --- | --- |")
  for (const holder of report.held.slice(0, most.held)) {
    lines.push(`| ${size(holder.held)} | ${pathText(holder)} | ${markdown(membersOf(holder))} |`)
  }
  if (report.fibers.alive > 0) {
    lines.push("", `### ${number(report.fibers.alive)} living fibers`, "")
    for (const group of report.fibers.groups.slice(0, most.fibers)) {
      lines.push(`${"  ".repeat(Math.min(group.level, 4))}- ${markdown(fibersText(group))}`)
    }
  }
  if (report.blocked.length > 0) {
    lines.push("", "### Blocked forever", "")
    for (const group of report.blocked.slice(0, most.fibers)) lines.push(`- ${markdown(fibersText(group))}`)
  }
  if (report.containers.length > 0) {
    lines.push("", "### Containers", "", "| entries | kind | path |", "| --: | --- | --- |")
    for (const container of report.containers.slice(0, most.containers)) {
      lines.push(`| ${entriesOf(container)} | ${markdown(container.kind)} | ${pathText(container)} |`)
    }
  }
  lines.push("", "### Classes", "", "| class | objects | size | retained |", "| --- | --: | --: | --: |")
  for (const { bytes, count, name, retained } of report.classes.slice(0, most.classes)) {
    lines.push(`| ${markdownCode(oneLine(name, 80))} | ${number(count)} | ${size(bytes)} | ${size(retained)} |`)
  }
  if (report.strings !== undefined) {
    lines.push("", "### Longest strings", "", "| size | text |", "| --: | --- |")
    for (const { bytes, text } of report.strings) lines.push(`| ${size(bytes)} | ${markdown(oneLine(text, 80))} |`)
  }
  return lines.join("\n") + "\n"
})

const pathText = (path: Parameters<typeof pathLine>[0]): string => markdownCode(oneLine(pathLine(path), most.path))
