/** A snapshot of a process at rest: fibers, listeners, handles, metrics and heap. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as FiberCensus from "../../FiberCensus.ts"
import { prototypeOf } from "../census/FiberRuntime.ts"
import { renderStuck, stuckFibers } from "../fibers/stuckFibers.ts"

/** Process-wide counts by name, and a WeakSet of live fibers, which keeps none of them alive. */
export interface ProcessSnapshot {
  readonly fibers: WeakSet<object>
  readonly abandoned: number
  readonly counts: ReadonlyMap<string, number>
}

// Taken at load: tests replace them, and a test clock must not be waited for.
const later = setTimeout
const soon = setImmediate
const now = performance.now.bind(performance)

/** Makes the census count every fiber until the scope closes. */
export const watchFibers: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(Effect.acquireRelease(
  Effect.withFiberSucceed((fiber) => FiberCensus.get().adopt(prototypeOf(fiber), "Application") ?? (() => {})),
  (stop) => Effect.sync(stop)
))

export const takeSnapshot: Effect.Effect<ProcessSnapshot> = Effect.map(Metric.snapshot, (metrics): ProcessSnapshot => {
  const census = FiberCensus.get()
  return {
    fibers: new WeakSet(census.fibers().map(([fiber]) => fiber)),
    abandoned: census.counts().abandoned,
    counts: countsOf(metrics)
  }
})

const countsOf = (metrics: ReadonlyArray<Metric.Metric.Snapshot>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  const add = (name: string, by = 1) => counts.set(name, (counts.get(name) ?? 0) + by)
  for (const event of process.eventNames()) {
    add(`listener of process for "${String(event)}"`, process.listenerCount(event))
  }
  for (const type of process.getActiveResourcesInfo()) add(`open handle ${type}`)
  for (const { attributes, id, state } of metrics) {
    if (!id.startsWith("fiberscope_")) continue
    const series = `${id}{name="${attributes?.["name"] ?? ""}"}`
    add(`series of metrics ${series}`)
    if ("value" in state) add(`gauge ${series}`, Number(state.value))
  }
  return counts
}

/** Describes what exists now and did not exist before; `locate` determines the lines at which fibers wait, which is slow. */
const addedSince = (before: ProcessSnapshot, locate: boolean): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Effect.all([takeSnapshot, Effect.fiber]), ([after, self]) => {
    const known = { has: (fiber: object) => fiber === self || before.fibers.has(fiber) }
    const stuck = stuckFibers(undefined, known, locate)
    const abandoned = after.abandoned - before.abandoned
    return [
      ...renderStuck(stuck, process.cwd()).map((line) => `live fiber ${line}`),
      ...(abandoned > 0 ? [`${abandoned} fibers were abandoned: their finalizers never run`] : []),
      ...[...after.counts].flatMap(([name, count]) => {
        const more = count - (before.counts.get(name) ?? 0)
        return more > 0 ? [`${more} × ${name}`] : []
      })
    ]
  })

/** The remaining things after the time to settle, or an empty list as soon as nothing remains. */
export const remainingSince = (before: ProcessSnapshot, settleMs: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const until = now() + settleMs
    for (let pause = 1;; pause = Math.min(pause * 2, 50)) {
      // Closed handles disappear one turn of the event loop later.
      yield* turn
      const found = yield* addedSince(before, false)
      if (found.length === 0) return found
      if (now() >= until) return yield* addedSince(before, true)
      yield* Effect.promise(() => new Promise<void>((resolve) => void later(resolve, pause)))
    }
  })

const turn = Effect.promise(() => new Promise<void>((resolve) => void soon(resolve)))

/**
 * Bytes of objects and buffers after a garbage collection. Code and its feedback are excluded: V8 compiles for hundreds of
 * cycles, which would look like a leak of a few kilobytes per cycle.
 */
export const heapFloor: Effect.Effect<number> = Effect.gen(function*() {
  // The target of a dereferenced WeakRef lives until the end of the turn, and finalizers run in the next one.
  yield* turn
  collectGarbage()
  yield* turn
  const spaces = process.getBuiltinModule("node:v8").getHeapSpaceStatistics()
  const objects = spaces.filter(({ space_name }) => !/^(code|trusted)/.test(space_name))
  return objects.reduce((sum, { space_used_size }) => sum + space_used_size, process.memoryUsage().external)
})

let collect: (() => void) | undefined

const collectGarbage = (): void => {
  if (collect === undefined) {
    const { gc } = globalThis as { readonly gc?: () => void }
    if (gc === undefined) process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc")
    collect = gc ?? process.getBuiltinModule("node:vm").runInNewContext("gc") as () => void
  }
  collect()
}
