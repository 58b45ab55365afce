/** The report of `fiberscope heap`. */
import * as Schema from "effect/Schema"
import type { HeapPath } from "../../agent/Protocol.ts"
import type { Comparison } from "../../heap/compareSnapshots.ts"
import type { ScriptPlace } from "../../heap/Scripts.ts"
import type { FiberGroup } from "../../heap/summary/FiberGroups.ts"
import type { HeapSummary } from "../../heap/summary/HeapSummary.ts"
import { resolveSteps } from "../../places/HeapPathPlaces.ts"
import type { HeapPathSources } from "../../places/HeapPathPlaces.ts"
import { describePath } from "../../places/HeapPathText.ts"
import { Site, siteOf } from "../../places/Site.ts"

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
 * Fibers of one kind: `level` is 0 for those without a living parent, and the children of a group follow it. `waits` is the kind of thing that
 * they wait for, and `finalizers` are those of the fullest scope of one of them.
 */
const Fibers = Schema.Struct({
  level: Schema.Int,
  count: Schema.Finite,
  site: Site,
  status: Schema.Literals(["running", "ready", "suspended"]),
  waits: Schema.optionalKey(Schema.Struct({ kind: Schema.String, site: Schema.optionalKey(Site) })),
  finalizers: Schema.Finite
})

/** The largest of the `count` containers of a path: `bound` is the most entries that it takes, and `isExact` is false if it may have more entries than `size`. */
const Container = Schema.Struct({
  ...Path,
  kind: Schema.String,
  size: Schema.Finite,
  count: Schema.Finite,
  isExact: Schema.Boolean,
  bound: Schema.optionalKey(Schema.Finite),
  waiting: Schema.optionalKey(Schema.Finite)
})

/**
 * The report of one snapshot, or of several of one process.
 *
 * **Details**
 *
 * All sizes are bytes. `snapshots` is oldest first, and everything but `growth` is about the last one. `growth` is absent with one snapshot.
 * `blocked` are fibers that nothing can resume, and `heldFibers` those that code could still interrupt; `undecided` says why nothing is proven.
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
  fibers: Schema.Struct({ alive: Schema.Finite, ended: Schema.Finite, groups: Schema.Array(Fibers) }),
  blocked: Schema.Array(Fibers),
  heldFibers: Schema.Array(Fibers),
  undecided: Schema.optionalKey(Schema.String),
  containers: Schema.Array(Container),
  strings: Schema.optionalKey(Schema.Array(Schema.Struct({ bytes: Schema.Finite, text: Schema.String })))
})

/** The report of `fiberscope heap`. */
export type HeapReport = typeof HeapReport.Type

/** Kinds of containers that Node and libraries have many of: they are shown if a variable of the program leads to them. */
const unnamed: ReadonlySet<string> = new Set(["Array", "EventEmitter", "EventTarget", "Map", "Object", "Set", "Timers"])

const mostContainers = 40

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
  const siteAt = (name: string | undefined, place: ScriptPlace | undefined): Site => {
    const resolved = place === undefined ? undefined : sources.resolve({ name: name ?? "", ...place })
    return siteOf({ ...resolved, name: name ?? resolved?.name ?? "" })
  }
  const flat = (groups: ReadonlyArray<FiberGroup>, level = 0): ReadonlyArray<typeof Fibers.Type> =>
    groups.flatMap(({ children, count, finalizers, name, place, status, waitsFor }) => [
      {
        level,
        count,
        site: siteAt(name, place),
        status,
        ...(waitsFor === undefined ? {} : {
          waits: {
            kind: waitsFor.kind,
            ...(waitsFor.place === undefined ? {} : { site: siteAt(undefined, waitsFor.place) })
          }
        }),
        finalizers
      },
      ...flat(children, level + 1)
    ])
  const { alive, blocked, containers, ended, groups } = summary.effect
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
    fibers: { alive, ended, groups: flat(groups) },
    blocked: flat(blocked.blocked),
    heldFibers: flat(blocked.held),
    ...(blocked.undecided === undefined || alive === 0 ? {} : { undecided: blocked.undecided }),
    containers: containers
      .map(({ bound, count, isExact, kind, size, steps, waiting }) => ({
        ...described({ steps }).path,
        kind,
        size,
        count,
        isExact,
        ...(bound === undefined || bound === Infinity ? {} : { bound }),
        ...(waiting === undefined ? {} : { waiting })
      }))
      .filter(({ kind, scope }) => scope !== undefined || !unnamed.has(kind))
      .slice(0, mostContainers),
    ...(strings ? { strings: summary.strings } : {})
  }
}
