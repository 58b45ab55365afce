/**
 * Reports which fibers are alive, where they were started, and which were collected without ending.
 *
 * **When to use**
 *
 * Use it to answer "what is still running?": in a debug endpoint, at the end of a test, in a signal handler of a service that
 * does not stop.
 *
 * **Details**
 *
 * The service sees every fiber of every runtime that uses the same copy of Effect: sibling layers, bare `Effect.runFork`, custom
 * schedulers. It sees them from the moment the layer is built; fibers that are forked but have not run yet are invisible. Sites come
 * from `Effect.fn` and spans.
 *
 * **Gotchas**
 *
 * Compared with plain Effect: `Metric.fiberRuntimeMetrics`' gauge of active fibers counts abandoned fibers forever and knows no
 * sites. It is enough when you need only a number and no fiber is ever dropped.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { FiberCensus, FiberCounts, FiberEvent, FiberInfo } from "./FiberCensus.ts"
import * as Census from "./FiberCensus.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderDump } from "./internal/fibers/renderDump.ts"

export type { FiberCounts, FiberEvent, FiberInfo } from "./FiberCensus.ts"

/**
 * The number of live and abandoned fibers of a site.
 *
 * @category models
 */
export interface SiteCount {
  readonly site: FiberSite
  readonly live: number
  /** Collected without ending, since the start. */
  readonly abandoned: number
}

/**
 * This version of Fiberscope does not know the shape of the runtime of this process.
 *
 * @category errors
 */
export class UnsupportedRuntime extends Data.TaggedError("UnsupportedRuntime") {
  override readonly message =
    `LiveFibers cannot see the fibers of this version of effect. It supports effect ${Census.supported}; `
    + "if yours is newer, look for a newer @fiberscope/core."
}

/**
 * Counts, lists and prints live fibers.
 *
 * @category services
 */
export class LiveFibers extends Context.Service<LiveFibers, {
  /** Live fibers now. Reads a counter and walks nothing. */
  readonly count: Effect.Effect<number>
  readonly counts: Effect.Effect<FiberCounts>
  /** Live fibers by site, most first. */
  readonly bySite: Effect.Effect<ReadonlyArray<SiteCount>>
  /** Live fibers that outlived a sweep (about a second). */
  readonly tenured: Effect.Effect<number>
  /** Fibers that were garbage-collected without having ended: their finalizers never run. */
  readonly abandoned: Effect.Effect<number>
  /** Every live fiber. Walks all of them: for people, not for metrics. */
  readonly dump: Effect.Effect<ReadonlyArray<FiberInfo>>
  /** Events of fibers: tenured, ended after that, or found abandoned. A slow reader loses the oldest events. */
  readonly changes: Stream.Stream<FiberEvent>
}>()("@fiberscope/core/LiveFibers") {
  /** Watches the fibers of the copy of Effect that builds the layer, until the layer ends. */
  static layer(options?: LiveFibersOptions): Layer.Layer<LiveFibers> {
    return Layer.effect(LiveFibers, make(options))
  }
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface LiveFibersOptions {
  /** Prints the dump on stderr when the process gets this signal. Off by default. Node keeps `SIGUSR1` for its debugger. */
  readonly dumpOn?: NodeJS.Signals | undefined
  /** Events that {@link LiveFibers} `changes` keeps for a slow reader. Default 1024. */
  readonly buffer?: number | undefined
}

/**
 * Makes the service in a scope. Dies with {@link UnsupportedRuntime} when this version of Effect is not understood.
 *
 * @category constructors
 */
export const make = (options?: LiveFibersOptions): Effect.Effect<LiveFibers["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const census = Census.get()
    yield* Effect.acquireRelease(
      Effect.withFiber((fiber) => {
        const stop = census.adopt(Census.prototypeOf(fiber), "LiveFibers.layer")
        return stop === undefined ? Effect.die(new UnsupportedRuntime()) : Effect.succeed(stop)
      }),
      (stop) => Effect.sync(stop)
    )
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        census.onFailure((message) => process.emitWarning(`LiveFibers has stopped counting: ${message}`))
      ),
      (stop) => Effect.sync(stop)
    )
    if (options?.dumpOn !== undefined) yield* dumpOn(census, options.dumpOn)
    return {
      count: Effect.sync(() => census.counts().live),
      counts: Effect.sync(census.counts),
      bySite: Effect.sync(() => bySite(census)),
      tenured: Effect.sync(() => census.counts().tenured),
      abandoned: Effect.sync(() => census.counts().abandoned),
      dump: Effect.sync(census.dump),
      changes: changes(census, options?.buffer ?? 1024)
    }
  })

/**
 * Renders a dump as a tree: children below the fiber that interrupts them when it ends, fibers of one site as one line, oldest
 * first.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LiveFibers, render } from "@fiberscope/core/LiveFibers"
 *
 * const poll = Effect.fn("poll")(function*() {
 *   return yield* Effect.never
 * })
 *
 * const program = Effect.gen(function*() {
 *   const fibers = yield* LiveFibers
 *   for (let i = 0; i < 3; i++) yield* Effect.forkChild(poll(), { startImmediately: true })
 *   const tree = render(yield* fibers.dump)
 *   console.log(tree) // 3 live fibers ... └─ poll (example.ts:5) × 3, oldest 0 ms
 * })
 *
 * Effect.runFork(Effect.provide(program, LiveFibers.layer()))
 * ```
 *
 * @category rendering
 */
export const render: (dump: ReadonlyArray<FiberInfo>, options?: { readonly base?: string | undefined }) => string =
  renderDump

const bySite = (census: FiberCensus): ReadonlyArray<SiteCount> => {
  const live = census.liveBySite()
  const out: Array<SiteCount> = []
  for (const site of census.sites.from(0)) {
    const count = live.get(site.id) ?? 0
    const abandoned = census.abandonedAt(site.id)
    if (count > 0 || abandoned > 0) out.push({ site, live: count, abandoned })
  }
  return out.sort((a, b) => b.live - a.live)
}

const changes = (census: FiberCensus, buffer: number): Stream.Stream<FiberEvent> =>
  Stream.callback<FiberEvent>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => census.onEvent((event) => Queue.offerUnsafe(queue, event))),
        (stop) => Effect.sync(stop)
      ),
    { bufferSize: buffer, strategy: "sliding" }
  )

const dumpOn = (census: FiberCensus, signal: NodeJS.Signals): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => {
      const print = () => void process.stderr.write(renderDump(census.dump(), { base: process.cwd() }) + "\n")
      process.on(signal, print)
      return print
    }),
    (print) => Effect.sync(() => process.off(signal, print))
  ))
