/** The report of `fiberscope heap`. */
import * as Schema from "effect/Schema"
import type { HeapPath } from "../../agent/Protocol.ts"
import type { Comparison } from "../../heap/compareSnapshots.ts"
import type { HeapSummary } from "../../heap/HeapSummary.ts"
import { resolveSteps } from "../../places/HeapPathPlaces.ts"
import type { HeapPathSources } from "../../places/HeapPathPlaces.ts"
import { describePath } from "../../places/HeapPathText.ts"
import { Site } from "../../places/Site.ts"

/** A variable or field, and the names from it to an object. */
const Path = {
  keeper: Schema.String,
  path: Schema.Array(Schema.String),
  scope: Schema.optionalKey(Site)
}

/**
 * A path whose objects became more, or larger. `counts` and `bytes` have a number for each snapshot; `stayed` says how many of its objects are
 * there in the next one.
 */
const GrowingPath = Schema.Struct({
  ...Path,
  member: Schema.String,
  how: Schema.Literals(["more", "larger"]),
  counts: Schema.Array(Schema.Finite),
  bytes: Schema.Array(Schema.Finite),
  stayed: Schema.Array(Schema.Finite),
  bound: Schema.optionalKey(Schema.Struct({ size: Schema.Finite, most: Schema.Finite }))
})

/** An object in which memory accumulates: `held` bytes, most of them in `members`, and not counting what another one of the list holds. */
const Held = Schema.Struct({
  ...Path,
  held: Schema.Finite,
  members: Schema.optionalKey(Schema.Struct({ name: Schema.String, count: Schema.Finite }))
})

const HeapClass = Schema.Struct({
  name: Schema.String,
  count: Schema.Finite,
  bytes: Schema.Finite,
  retained: Schema.Finite
})

/**
 * The report of one snapshot, or of several of one process.
 *
 * **Details**
 *
 * All sizes are bytes. `snapshots` is oldest first, and everything but `growth` is about the last one. `growth` is absent with one snapshot.
 * `strings` has the longest strings of the program, only if they were asked for.
 */
export const HeapReport = Schema.Struct({
  schema: Schema.Literal(1),
  fiberscope: Schema.String,
  snapshots: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.Finite })),
  objects: Schema.Finite,
  growth: Schema.optionalKey(Schema.Array(GrowingPath)),
  held: Schema.Array(Held),
  classes: Schema.Array(HeapClass),
  strings: Schema.optionalKey(Schema.Array(Schema.Struct({ bytes: Schema.Finite, text: Schema.String })))
})

/** The report of `fiberscope heap`. */
export type HeapReport = typeof HeapReport.Type

/** Makes the report. */
export const makeHeapReport = ({ comparison, names, sources, strings, summary, version }: {
  readonly names: ReadonlyArray<string>
  readonly comparison: Comparison
  readonly summary: HeapSummary
  readonly strings: boolean
  readonly sources: HeapPathSources
  readonly version: string
}): HeapReport => {
  const described = ({ steps }: Pick<HeapPath, "steps">) => {
    const { keeper, member, names, scope } = describePath({ steps: resolveSteps(steps, sources) })
    return { path: { keeper, path: names, ...(scope === undefined ? {} : { scope }) }, member }
  }
  return {
    schema: 1,
    fiberscope: version,
    snapshots: names.map((name, i) => ({ name, bytes: comparison.bytes[i]! })),
    objects: summary.objects,
    ...(names.length === 1 ? {} : {
      growth: comparison.paths.map((path) => {
        const { bound, bytes, counts, how, stayed } = path
        const { member, path: names } = described(path)
        return { ...names, member, how, counts, bytes, stayed, ...(bound === undefined ? {} : { bound }) }
      })
    }),
    held: summary.held.map(({ held, members, steps }) => ({
      ...described({ steps }).path,
      held,
      ...(members === undefined ? {} : { members })
    })),
    classes: summary.classes,
    ...(strings ? { strings: summary.strings } : {})
  }
}
