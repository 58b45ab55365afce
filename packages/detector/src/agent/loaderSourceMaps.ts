/**
 * Translates places in code that a loader generated in memory, as tsx does, to places in the files that their author wrote.
 *
 * Node keeps the source maps of loaded modules with `--enable-source-maps`, or when the loader asks for it. They can be read inside
 * the process only. Source maps in files beside the code are read later, when the report is made. Stacks as text, such as those of
 * `Effect.fn`, have already been translated by node.
 *
 * Node decodes the whole map of a file for a single place, and keeps the result. The maps of libraries are in files, so the report
 * reads them: in the program, those of effect alone would take tens of megabytes.
 */
import { isProgramFile } from "@fiberscope/core/FiberSite"
import nodeModule from "node:module"
import type { Place } from "./Protocol.ts"

// Taken at load: the program may replace it.
const findSourceMap = nodeModule.findSourceMap

/** The place in the original source, when node has a map for it; otherwise `place` itself, which is V8's. */
export const originalOf = (place: Place): Place => {
  const { column, file, line } = place
  if (file === undefined || line === undefined || !isProgramFile(file)) {
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
