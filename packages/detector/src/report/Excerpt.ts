/** The source lines around a place. */
import type { Site } from "../Finding.ts"
import { oneLine } from "../text/Untrusted.ts"

/** One line of an excerpt. `isSite` marks the line of the site itself. */
export interface ExcerptLine {
  readonly line: number
  readonly text: string
  readonly isSite: boolean
}

/**
 * The line of a site with `around` lines before and after it, without their common indentation. Empty when the source cannot be read.
 * Each line is printable: a tab becomes two spaces, and other control characters become escapes.
 */
export const excerpt = (
  site: Site,
  source: (file: string) => string | undefined,
  around = 2
): ReadonlyArray<ExcerptLine> => {
  if (site.file === undefined || site.line === undefined) return []
  const lines = source(site.file)?.split("\n") ?? []
  if (lines[site.line - 1] === undefined) return []
  const first = Math.max(1, site.line - around)
  const last = Math.min(lines.length, site.line + around)
  const part = lines.slice(first - 1, last)
  const indent = Math.min(...part.filter((text) => text.trim() !== "").map((text) => text.search(/\S/)))
  return part.map((text, i) => ({
    line: first + i,
    text: oneLine(text.slice(indent).trimEnd().replaceAll("\t", "  ")),
    isSite: first + i === site.line
  }))
}
