/**
 * Labelled snapshots of a running program, and the changes between two of them.
 *
 * **When to use**
 *
 * Use it to see what remains after a step: take a snapshot before, one after, and compare. To find leaks, which takes time, use
 * `LeakDetector` or `fiberscope run`.
 *
 * **Details**
 *
 * A snapshot has the readings of the process, the live fibers by fork site, and the sampled objects by the function that allocated them.
 * It takes a few kilobytes, whatever the size of the heap. Taking one collects all garbage first; `pauseMs` is the time that it took.
 *
 * **Gotchas**
 *
 * Only objects that are allocated after the layer was built are sampled.
 */
import * as Census from "@fiberscope/core/FiberCensus"
import { renderSite } from "@fiberscope/core/FiberSite"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import process from "node:process"
import v8 from "node:v8"
import { sampleAllocations } from "./agent/AllocationSamples.ts"
import { heapUsed } from "./agent/GarbageCollections.ts"
import type { Place } from "./agent/Protocol.ts"
import { isToolFile } from "./agent/toolFrames.ts"
import { isProgramFrame } from "./places/frames.ts"
import { describeSite, libraryName, siteOf } from "./places/Site.ts"
import { number, size } from "./text/Units.ts"
import { oneLine } from "./text/Untrusted.ts"

/**
 * The readings at one moment, in bytes. `vms`, the size of the address space, is known on Linux only.
 *
 * @category models
 */
export interface Readings {
  readonly heapUsed: number
  readonly rss: number
  readonly vms: number | undefined
  readonly external: number
  readonly arrayBuffers: number
  readonly liveFibers: number
}

/**
 * The amount at one site: `count` fibers, or `bytes` of `count` sampled objects.
 *
 * @category models
 */
export interface Amount {
  readonly count: number
  readonly bytes: number
}

/**
 * The living fibers, objects and instances at one moment.
 *
 * @category models
 */
export interface Snapshot {
  readonly label: string
  readonly readings: Readings
  /** Live fibers by fork site, as `name (file:line)`. */
  readonly fibers: ReadonlyMap<string, Amount>
  /** Sampled living objects by the innermost function of the program that allocated them. */
  readonly allocations: ReadonlyMap<string, Amount>
  /** Living instances of the classes in the option `constructors`, by name. */
  readonly constructors: ReadonlyMap<string, Amount>
  /** Milliseconds for which the garbage collection paused the program. */
  readonly pauseMs: number
}

/**
 * One line of a comparison.
 *
 * @category models
 */
export interface Growth {
  readonly kind: "fibers" | "memory" | "instances"
  readonly site: string
  readonly before: Amount
  readonly after: Amount
}

/**
 * The changes from one snapshot to another. The sites that grew most are first.
 *
 * @category models
 */
export interface Comparison {
  readonly from: Snapshot
  readonly to: Snapshot
  readonly fibers: ReadonlyArray<Growth>
  readonly allocations: ReadonlyArray<Growth>
  readonly constructors: ReadonlyArray<Growth>
}

/**
 * There is no snapshot with this label. `known` has the existing labels.
 *
 * @category errors
 */
export class SnapshotNotFound extends Data.TaggedError("SnapshotNotFound")<{
  readonly label: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    return `there is no snapshot "${this.label}"; the existing ones are: ${this.known.join(", ") || "none"}`
  }
}

/**
 * Takes and compares snapshots.
 *
 * @category services
 */
export class Snapshots extends Context.Service<Snapshots, {
  /** Collects all garbage, and keeps a snapshot under a label. A snapshot with the same label is replaced. */
  readonly take: (label: string) => Effect.Effect<Snapshot>
  /** Compares two snapshots by their labels. */
  readonly compare: (from: string, to: string) => Effect.Effect<Comparison, SnapshotNotFound>
}>()("@fiberscope/detector/Snapshots") {
  /**
   * Samples allocations until the layer is released.
   *
   * **Example**
   *
   * ```ts
   * import { Effect } from "effect"
   * import { render, Snapshots } from "@fiberscope/detector/Snapshots"
   *
   * const program = Effect.gen(function*() {
   *   const snapshots = yield* Snapshots
   *   yield* snapshots.take("start")
   *   for (let i = 0; i < 50; i++) yield* Effect.forkChild(Effect.withSpan(Effect.never, "task"), { startImmediately: true })
   *   yield* snapshots.take("after creating tasks")
   *   console.log(render(yield* snapshots.compare("start", "after creating tasks")))
   * })
   *
   * Effect.runFork(Effect.provide(program, Snapshots.layer()))
   * ```
   */
  static layer(options?: SnapshotsOptions): Layer.Layer<Snapshots> {
    return Layer.effect(Snapshots, make(options))
  }
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface SnapshotsOptions {
  /** Bytes between two allocation samples. Default 32 KiB. */
  readonly samplingBytes?: number | undefined
  /** The number of snapshots to keep; the oldest is dropped. Default 16. */
  readonly keep?: number | undefined
  /**
   * Classes whose living instances are counted. Default: none, because V8 walks the whole heap for each class, which takes seconds on a
   * heap of hundreds of megabytes.
   */
  readonly constructors?: ReadonlyArray<new(...args: Array<never>) => object> | undefined
}

/**
 * Makes the service in a scope.
 *
 * @category constructors
 */
export const make = (options?: SnapshotsOptions): Effect.Effect<Snapshots["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const census = Census.get()
    yield* Effect.acquireRelease(
      Effect.withFiber((fiber) => Effect.succeed(census.adopt(Census.prototypeOf(fiber), "Snapshots.layer"))),
      (release) => Effect.sync(() => release?.())
    )
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => sampleAllocations(options?.samplingBytes ?? 32 * 1024, isToolFile)),
      (sampler) => Effect.sync(sampler.stop)
    )
    const keep = options?.keep ?? 16
    const taken = new Map<string, Snapshot>()
    const find = (label: string) => {
      const snapshot = taken.get(label)
      return snapshot === undefined
        ? Effect.fail(new SnapshotNotFound({ label, known: [...taken.keys()] }))
        : Effect.succeed(snapshot)
    }
    return {
      take: (label) =>
        Effect.sync(() => {
          const start = performance.now()
          const living = profile.living()
          const pauseMs = performance.now() - start
          const snapshot: Snapshot = {
            label,
            readings: read(census),
            fibers: fibersBySite(census),
            allocations: bySite(living),
            constructors: countInstances(options?.constructors ?? []),
            pauseMs
          }
          taken.delete(label)
          taken.set(label, snapshot)
          for (const oldest of taken.keys()) {
            if (taken.size <= keep) break
            taken.delete(oldest)
          }
          return snapshot
        }),
      compare: Effect.fn("Snapshots.compare")(function*(from, to) {
        return compare(yield* find(from), yield* find(to))
      })
    }
  })

/**
 * Compares two snapshots. It lists every site whose number of fibers or bytes changed, the most growth first.
 *
 * @category combinators
 */
export const compare = (from: Snapshot, to: Snapshot): Comparison => ({
  from,
  to,
  fibers: differences("fibers", from.fibers, to.fibers, ({ count }) => count),
  allocations: differences("memory", from.allocations, to.allocations, ({ bytes }) => bytes),
  constructors: differences("instances", from.constructors, to.constructors, ({ count }) => count)
})

/**
 * Renders a comparison as a table: the readings, and the `top` sites of each kind (default 10).
 *
 * @category rendering
 */
export const render = (
  { allocations, constructors, fibers, from, to }: Comparison,
  options?: { readonly top?: number | undefined }
): string => {
  const top = options?.top ?? 10
  const change = (after: number, before: number, show: (value: number) => string) =>
    `${after >= before ? "+" : "-"}${show(Math.abs(after - before))}`
  const reading = (name: string, before: number, after: number, show: (value: number) => string) =>
    `  ${name.padEnd(12)} ${show(before).padStart(10)} → ${show(after).padStart(10)}  ${change(after, before, show)}`
  const line = ({ after, before, kind, site }: Growth) =>
    `  ${
      kind !== "memory"
        ? change(after.count, before.count, number).padStart(10)
        : change(after.bytes, before.bytes, size).padStart(10)
    }  ${oneLine(site)}`
  const section = (title: string, lines: ReadonlyArray<Growth>) =>
    lines.length === 0
      ? []
      : [`${title}, top ${Math.min(top, lines.length)} of ${lines.length}`, ...lines.slice(0, top).map(line)]
  const { readings: before } = from
  const { readings: after } = to
  return [
    oneLine(`${from.label} → ${to.label}`),
    reading("live fibers", before.liveFibers, after.liveFibers, number),
    reading("heap", before.heapUsed, after.heapUsed, size),
    reading("rss", before.rss, after.rss, size),
    ...(before.vms === undefined || after.vms === undefined ? [] : [reading("vms", before.vms, after.vms, size)]),
    ...section("fibers by fork site", fibers),
    ...section("memory by allocating function", allocations),
    ...section("instances by constructor", constructors)
  ].join("\n")
}

const nothing: Amount = { count: 0, bytes: 0 }

const differences = (
  kind: Growth["kind"],
  from: ReadonlyMap<string, Amount>,
  to: ReadonlyMap<string, Amount>,
  by: (amount: Amount) => number
): ReadonlyArray<Growth> =>
  [...new Set([...from.keys(), ...to.keys()])]
    .map((site) => ({ kind, site, before: from.get(site) ?? nothing, after: to.get(site) ?? nothing }))
    .filter(({ after, before }) => by(after) !== by(before))
    .sort((a, b) => (by(b.after) - by(b.before)) - (by(a.after) - by(a.before)))

const fibersBySite = (census: Census.FiberCensus): ReadonlyMap<string, Amount> => {
  const out = new Map<string, Amount>()
  for (const [id, count] of census.liveBySite()) {
    const site = renderSite(census.sites.get(id), process.cwd())
    out.set(site, { count: (out.get(site)?.count ?? 0) + count, bytes: 0 })
  }
  return out
}

const bySite = (
  living: ReadonlyArray<{ readonly frames: ReadonlyArray<Place>; readonly count: number; readonly bytes: number }>
): ReadonlyMap<string, Amount> => {
  const out = new Map<string, Amount>()
  for (const { bytes, count, frames } of living) {
    const frame = frames.find(isProgramFrame)
    const place = frame ?? frames[0]
    const site = place === undefined
      ? "(unknown)"
      : frame === undefined
      ? libraryName(siteOf(place))
      : describeSite(siteOf(frame))
    const known = out.get(site) ?? nothing
    out.set(site, { count: known.count + count, bytes: known.bytes + bytes })
  }
  return out
}

const countInstances = (
  constructors: ReadonlyArray<new(...args: Array<never>) => object>
): ReadonlyMap<string, Amount> =>
  new Map(constructors.map((constructor) => [
    constructor.name,
    { count: v8.queryObjects(constructor, { format: "count" }), bytes: 0 }
  ]))

const read = (census: Census.FiberCensus): Readings => {
  const { arrayBuffers, external, rss } = process.memoryUsage()
  return { heapUsed: heapUsed(), rss, vms: readVms(), external, arrayBuffers, liveFibers: census.counts().live }
}

/** The size of the address space in bytes: the first number of `/proc/self/statm`, which counts pages of 4 KiB. */
const readVms = (): number | undefined => {
  try {
    return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]) * 4096
  } catch {
    return undefined
  }
}
