/**
 * Names what keeps the memory that a test leaks, for `noLeaks` of `@fiberscope/core/testing`.
 *
 * **When to use**
 *
 * Use it with `repeat`. `noLeaks` itself names the line that allocates the memory, and often another one keeps it.
 *
 * **Details**
 *
 * Only after a failure, it repeats the test twice as often and takes three heap snapshots: 35 milliseconds for each megabyte of the heap, and
 * eight times the heap in memory meanwhile. Their files can be read by their owner only, and are removed. The names of variables are not in
 * the snapshots of vitest, whose modules are wrapped; those of fields and classes are.
 *
 * **Example**
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { noLeaks } from "@fiberscope/core/testing"
 * import { keepers } from "@fiberscope/detector/Keepers"
 * import { Effect } from "effect"
 *
 * class Session {
 *   readonly since = Date.now()
 * }
 * const sessions = new Set<Session>()
 * const login = Effect.sync(() => sessions.add(new Session()))
 *
 * it.live("is told which variable keeps the sessions", () =>
 *   Effect.gen(function*() {
 *     const { leaks } = yield* Effect.flip(noLeaks(login, { repeat: 12, kept: keepers }))
 *     assert.match(leaks[0]!.site.join(), /kept by .*Set → Session.*: 12 more/)
 *   }))
 * ```
 */
import type { Keepers } from "@fiberscope/core/testing"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { takeHeapSnapshot } from "./agent/HeapSnapshot.ts"
import { releaseObjectIds } from "./agent/InspectorSession.ts"
import type { HeapPath } from "./agent/Protocol.ts"
import { compareSnapshots } from "./heap/compareSnapshots.ts"
import { resolveSteps } from "./places/HeapPathPlaces.ts"
import { describePath, pathLine } from "./places/HeapPathText.ts"
import * as Sources from "./places/Sources.ts"
import { limits } from "./statistics/limits.ts"
import { number } from "./text/Units.ts"

/** Lines of a failure. */
const most = 3

/**
 * Runs a test again and again between heap snapshots, and describes the paths on which objects of each run stay, the most bytes first.
 *
 * @category testing
 */
export const keepers: Keepers = async (run, times) => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-keepers-"))
  try {
    const files: Array<string> = []
    for (let i = 0; i < limits.snapshots; i++) {
      for (let k = 0; i > 0 && k < times; k++) await run()
      const file = join(folder, `${i}.heapsnapshot`)
      const { refused } = takeHeapSnapshot(file)
      if (refused !== undefined) return [`not known, because no heap snapshot was taken: ${refused}`]
      files.push(file)
    }
    const { paths } = await Effect.runPromise(compareSnapshots(files, {
      done: (file) => rmSync(file),
      least: { members: times / 2, bytes: 0 }
    }))
    const sources = Sources.make("running")
    sources.met({ cwd: process.cwd(), argv: process.argv })
    return paths.filter(grows(times)).slice(0, most).map(lineOf(sources))
  } finally {
    releaseObjectIds()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether at least every second run added an object, in both rounds, and the objects stayed. */
const grows = (times: number) => ({ counts, how, stayed }: HeapPath): boolean =>
  how === "more"
  && counts.slice(1).every((count, i) => count - counts[i]! >= times / 2 && (stayed[i] ?? count) >= counts[i]! / 2)

const lineOf = (sources: Sources.Sources) => ({ counts, steps }: HeapPath): string => {
  const { names, scope } = describePath({ steps: resolveSteps(steps, sources) })
  const path = pathLine({ path: names, ...(scope === undefined ? {} : { scope }) })
  return `${path}: ${number(counts.at(-1)! - counts.at(-2)!)} more`
}
