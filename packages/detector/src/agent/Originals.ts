/**
 * Places in sources that a loader made up in memory, as tsx does, told by where their author wrote them.
 *
 * Node keeps the source maps of what it loaded when it is told to (`--enable-source-maps`, or the loader asks for it). Nobody outside
 * of the process can read those; maps that lie beside a file are read by whoever makes the report. Stacks as text, such as those that
 * `Effect.fn` leaves, have been translated by node already.
 *
 * Node decodes the whole map of a file when it is asked for one place in it, and keeps that. The maps of libraries lie beside their
 * files, so they are left to the report: those of effect alone take tens of megabytes.
 */
import nodeModule from "node:module"
import type { Place } from "./Protocol.ts"

// Taken at load: the program may replace it.
const findSourceMap = nodeModule.findSourceMap

/** The place in the original source, where node knows it; else the place itself. `place` is what V8 says. */
export const originalOf = (place: Place): Place => {
  const { column, file, line } = place
  if (file === undefined || file === "" || line === undefined || /^node:|[\\/]node_modules[\\/]/.test(file)) {
    return place
  }
  try {
    const entry = findSourceMap(file)?.findEntry(line - 1, (column ?? 1) - 1)
    return entry === undefined || !("originalLine" in entry) ? place : {
      name: place.name,
      file: entry.originalSource,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1
    }
  } catch {
    return place
  }
}
