/** The report of `fiberscope heap` as annotations of GitHub Actions. */
import { pathLine } from "../../places/HeapPathText.ts"
import { githubData, githubProperty } from "../../text/Untrusted.ts"
import { renderer } from "../Renderer.ts"
import type { HeapReport } from "./HeapReport.ts"
import { courseOf, headline } from "./sentences.ts"

/** GitHub shows ten annotations of a kind for a step. */
const most = 8

/** Renders each growing path as a `::warning` at the function that has its variable, and the size of the heap as a `::notice`. */
export const renderHeapGithub = renderer((report: HeapReport, base: string = ""): string => {
  const growth = report.growth ?? []
  const lines = growth.slice(0, most).map((path) => {
    const { file, line } = path.scope ?? {}
    const shown = file?.startsWith(`${base}/`) === true ? file.slice(base.length + 1) : file
    const place = shown === undefined ? "" : `file=${githubProperty(shown)},line=${line ?? 1},`
    const text = `${pathLine(path)}\n${courseOf(path)}`
    return `::warning ${place}title=${githubProperty("Fiberscope: heap growth")}::${githubData(text)}`
  })
  if (growth.length > most) lines.push(`::warning title=Fiberscope::and ${growth.length - most} more paths grew`)
  lines.push(`::notice title=${githubProperty("Fiberscope: heap")}::${githubData(headline(report))}`)
  return lines.join("\n") + "\n"
})
