/** `fiberscope heap`: what is in a heap snapshot, and what grew since an older one. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { statSync } from "node:fs"
import process from "node:process"
import { compareSnapshots } from "../heap/compareSnapshots.ts"
import { pathBounds } from "../heap/effect/PathBounds.ts"
import { readSnapshot, readStream } from "../heap/readSnapshot.ts"
import { summaryOf } from "../heap/summary/HeapSummary.ts"
import type { HeapSummary } from "../heap/summary/HeapSummary.ts"
import * as Sources from "../places/Sources.ts"
import { renderHeapGithub } from "../report/heap/github.ts"
import { makeHeapReport } from "../report/heap/HeapReport.ts"
import type { HeapReport } from "../report/heap/HeapReport.ts"
import { renderHeapMarkdown } from "../report/heap/markdown.ts"
import { renderHeapText } from "../report/heap/text.ts"
import { styleFor } from "../report/Style.ts"
import { size } from "../text/Units.ts"
import { json } from "../text/Untrusted.ts"
import * as Output from "./Output.ts"
import { version } from "./version.ts"

/** The options of `fiberscope heap`. */
export interface HeapOptions {
  /** A file, or `-` for standard input. */
  readonly snapshot: string
  readonly older: ReadonlyArray<string>
  readonly json: Option.Option<string>
  readonly format: Output.Format
  readonly strings: boolean
  readonly quiet: boolean
}

/** Reads the snapshots, prints the report, and answers the exit code. */
export const heap = (options: HeapOptions) =>
  Effect.gen(function*() {
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: Output.checkWritable })
    const names = [...options.older, options.snapshot]
    let summary: HeapSummary | undefined
    const comparison = yield* compareSnapshots(names, {
      read: (name) => {
        if (!options.quiet) announce(name)
        return name === "-" ? readStream(process.stdin, "standard input") : readSnapshot(name)
      },
      bounds: pathBounds,
      newest: (graph, signed) => summary = summaryOf(graph, signed)
    })
    const sources = Sources.make("recorded")
    sources.met({ cwd: process.cwd(), argv: [] })
    const report = makeHeapReport({ names, comparison, summary: summary!, strings: options.strings, sources, version })
    if (!options.quiet) yield* Output.answer(renderings[options.format](report))
    yield* Option.match(options.json, {
      onNone: () => Effect.void,
      onSome: (file) => Output.writeText(file, json(report) + "\n")
    })
    return 0
  })

/** A snapshot of this size takes more than a second. */
const large = 100 * 2 ** 20

const announce = (name: string): void => {
  const bytes = name === "-" ? 0 : statSync(name, { throwIfNoEntry: false })?.size ?? 0
  if (bytes >= large) Output.complain(`reading ${name} (${size(bytes)})`)
}

const renderings: Readonly<Record<Output.Format, (report: HeapReport) => string>> = {
  json: (report) => json(report) + "\n",
  github: (report) => renderHeapGithub(report, process.cwd()),
  markdown: (report) => renderHeapMarkdown(report),
  pretty: (report) =>
    renderHeapText(report, {
      style: styleFor(process.stdout.isTTY, process.env),
      width: process.stdout.isTTY ? process.stdout.columns : undefined
    })
}
