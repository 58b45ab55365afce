/** What a process has when nothing happens in it: fibers, listeners, handles, metrics and heap. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as FiberCensus from "../../FiberCensus.ts"
import { prototypeOf } from "../census/FiberRuntime.ts"
import { renderStuck, stuckFibers } from "../fibers/stuckFibers.ts"

/** Counts of what there is, by its name; and the fibers themselves, which nobody keeps. */
export interface Rest {
  readonly fibers: WeakSet<object>
  readonly abandoned: number
  readonly counts: ReadonlyMap<string, number>
}

// Taken at load: tests replace them, and a test clock must not be waited for.
const later = setTimeout
const soon = setImmediate
const now = performance.now.bind(performance)

/** Has the census see every fiber for as long as the scope is open. */
export const watchRest: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(Effect.acquireRelease(
  Effect.withFiberSucceed((fiber) => FiberCensus.get().adopt(prototypeOf(fiber), "Application") ?? (() => {})),
  (stop) => Effect.sync(stop)
))

export const restOf: Effect.Effect<Rest> = Effect.map(Metric.snapshot, (metrics): Rest => {
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

/** What is there now and was not, in words; `locate` asks for the lines at which fibers wait, which takes long. */
const left = (before: Rest, locate: boolean): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Effect.all([restOf, Effect.fiber]), ([after, self]) => {
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

/** What is left when the time to settle is over, or as soon as nothing is. */
export const settled = (before: Rest, settleMs: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const until = now() + settleMs
    for (let pause = 1;; pause = Math.min(pause * 2, 50)) {
      // Handles that were closed are gone a turn later.
      yield* turn
      const found = yield* left(before, false)
      if (found.length === 0) return found
      if (now() >= until) return yield* left(before, true)
      yield* Effect.promise(() => new Promise<void>((resolve) => void later(resolve, pause)))
    }
  })

const turn = Effect.promise(() => new Promise<void>((resolve) => void soon(resolve)))

/**
 * Bytes of objects and buffers after garbage collection. Code and its feedback are left out: V8 goes on compiling for hundreds of cycles,
 * and that would look like a leak of some kilobytes in each.
 */
export const heapFloor: Effect.Effect<number> = Effect.gen(function*() {
  // What a WeakRef was asked for lives until the turn is over, and what finalizers do is done in the next one.
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
