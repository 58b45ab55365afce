/**
 * Boots, uses and stops a whole service, again and again in one process, and tells what does not come back to rest.
 *
 * **When to use**
 *
 * Use it in a test of the layer that your `main` launches. A service that leaves something behind at its end leaves it in every test,
 * every worker and every hot reload; and most of what leaks while a service runs leaks here as well, only faster.
 *
 * **Details**
 *
 * Each cycle builds the layer with a {@link "GracefulShutdown"} of its own, runs `work`, requests the shutdown, waits for its phases
 * and closes the layer. After each one, live fibers, listeners of the process, open handles, timers and the series and gauges of
 * `fiberscope_*` metrics must be what they were before; over all of them, the heap after garbage collection must not grow.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { GracefulShutdownOptions, ShutdownReport } from "./GracefulShutdown.ts"
import { GracefulShutdown, make } from "./GracefulShutdown.ts"
import type { Floor, Growth } from "./internal/application/growth.ts"
import { fewestFloors, growthOf } from "./internal/application/growth.ts"
import { heapFloor, restOf, settled, watchRest } from "./internal/application/processSnapshot.ts"

/**
 * How often a service is booted and stopped, and what it does meanwhile.
 *
 * @category models
 */
export interface RunOptions<E, R> extends GracefulShutdownOptions {
  /** How often the service is booted and stopped. Default 10; at least 1. Growth of the heap is judged from 20 on. */
  readonly cycles?: number | undefined
  /** What the service does in each cycle. Default: nothing. */
  readonly work?: Effect.Effect<unknown, E, R> | undefined
  /** Cycles before the first one that is judged: what is made once, such as a connection of a global client, is no leak. Default 1. */
  readonly warmUp?: number | undefined
  /** How long things may take to be at rest after the layer has closed. Default 1 second. */
  readonly settle?: Duration.Input | undefined
}

/**
 * What the cycles came to. `heap` is there when there were enough of them to judge it.
 *
 * @category models
 */
export interface ApplicationReport {
  readonly cycles: number
  readonly heap: Growth | undefined
}

export type { Growth } from "./internal/application/growth.ts"

/**
 * The service left something behind. Each line of `left` says what, how many, and where it comes from, as far as that is known.
 *
 * @category errors
 */
export class NotAtRest extends Data.TaggedError("NotAtRest")<{
  /** The cycle after which it was seen, from 1 on. */
  readonly cycle: number
  readonly left: ReadonlyArray<string>
}> {
  override get message(): string {
    return [`The service is not at rest after cycle ${this.cycle}:`, ...this.left.map((line) => `  ${line}`)].join("\n")
  }
}

/**
 * The service did not stop in order: a phase failed, did not end in time, or something held it open until then.
 *
 * @category errors
 */
export class NotStopped extends Data.TaggedError("NotStopped")<{
  readonly cycle: number
  readonly report: ShutdownReport
}> {
  override get message(): string {
    const { held, participants } = this.report
    const lines = [
      ...participants.filter(({ outcome }) => outcome !== "ended").map(({ name, outcome }) => `"${name}" ${outcome}`),
      ...held.map(({ label }) => `"${label}" held it open`)
    ]
    return [`The service did not stop in order in cycle ${this.cycle}:`, ...lines.map((line) => `  ${line}`)].join("\n")
  }
}

/**
 * Boots a layer, lets it work and stops it, `cycles` times; fails with {@link NotAtRest} when something is left.
 *
 * **Gotchas**
 *
 * It sees the whole process: run nothing beside it. Under a test clock nothing settles by itself: use `it.live`. A heap that grows by
 * less than about 0.5 % over all cycles is not told from noise; more cycles see less of a leak in each.
 *
 * **Example**
 *
 * ```ts no-run it waits for the whole process to come to rest, beside which nothing else may run
 * import { Effect, Layer } from "effect"
 * import * as Application from "@fiberscope/core/Application"
 *
 * const Ticker = Layer.effectDiscard(Effect.forkScoped(Effect.forever(Effect.sleep("1 second"))))
 * const Leaky = Layer.effectDiscard(Effect.forkDetach(Effect.never))
 *
 * const program = Effect.gen(function*() {
 *   const { cycles } = yield* Application.run(Ticker, { cycles: 3 })
 *   console.log(cycles) // 3
 *   const error = yield* Effect.flip(Application.run(Leaky, { cycles: 3, settle: "10 millis" }))
 *   console.log(error.message) // The service is not at rest after cycle 1: … live fiber …
 * })
 *
 * Effect.runFork(program)
 * ```
 *
 * @category running
 */
export const run: {
  <E2 = never, R2 = never>(
    options?: RunOptions<E2, R2>
  ): <Services, E, R>(layer: Layer.Layer<Services, E, R>) => Run<Services, E | E2, R, R2>
  <Services, E, R, E2 = never, R2 = never>(
    layer: Layer.Layer<Services, E, R>,
    options?: RunOptions<E2, R2>
  ): Run<Services, E | E2, R, R2>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <Services, E, R, E2, R2>(
    layer: Layer.Layer<Services, E, R>,
    options: RunOptions<E2, R2> = {}
  ): Run<Services, E | E2, R, R2> =>
    Effect.gen(function*() {
      const cycles = Math.max(1, Math.floor(options.cycles ?? 10))
      const warmUp = Math.max(0, Math.floor(options.warmUp ?? 1))
      const settle = Duration.toMillis(options.settle ?? "1 second")
      yield* watchRest
      const floors: Array<Floor> = []
      const every = Math.max(1, Math.floor(cycles / mostFloors))
      let rest = yield* restOf
      for (let i = 1 - warmUp; i <= cycles; i++) {
        const report = yield* cycle(layer, options)
        if (report.held.length > 0 || report.participants.some(({ outcome }) => outcome !== "ended")) {
          return yield* new NotStopped({ cycle: i, report })
        }
        // What is made once never settles.
        const left = yield* settled(rest, i < 1 ? Math.min(settle, warmUpSettle) : settle)
        if (i < 1) rest = yield* restOf
        else if (left.length > 0) return yield* new NotAtRest({ cycle: i, left })
        else if (cycles >= fewestFloors && i % every === 0) floors.push({ cycle: i, bytes: yield* heapFloor })
      }
      const heap = growthOf(floors)
      if (heap?.grows === true) {
        const [first, last] = [floors[0]!, floors.at(-1)!].map(({ bytes }) => `${(bytes / 1e6).toFixed(2)} MB`)
        const left = [
          `the heap grows by ${Math.round(heap.bytesPerCycle)} bytes in each cycle, from ${first} to ${last}`
        ]
        return yield* new NotAtRest({ cycle: cycles, left })
      }
      const report: ApplicationReport = { cycles, heap }
      return report
    }).pipe(Effect.scoped)
)

const warmUpSettle = 500

/** How often the heap is looked at: a full collection takes longer than many a cycle. */
const mostFloors = 40

/** What the layer and its work need, besides each other, the shutdown and a scope. */
type Needs<Services, R, R2> = Exclude<R | Exclude<R2, Services>, GracefulShutdown | Scope.Scope>

type Run<Services, E, R, R2> = Effect.Effect<ApplicationReport, E | NotAtRest | NotStopped, Needs<Services, R, R2>>

/** One life of the service. */
const cycle = <Services, E, R, E2, R2>(layer: Layer.Layer<Services, E, R>, options: RunOptions<E2, R2>) => {
  const life = Effect.gen(function*() {
    const shutdown = yield* GracefulShutdown
    const context = yield* shutdown.startUp(Layer.build(layer))
    yield* Effect.provideContext(options.work ?? Effect.void, context)
    yield* shutdown.request("the end of a cycle")
    return yield* shutdown.awaitDrained
  })
  const shutdown = make({ ...options, preStopDelay: options.preStopDelay ?? 0 })
  const scoped = Effect.scoped(Effect.provideServiceEffect(Effect.scoped(life), GracefulShutdown, shutdown))
  // The compiler does not see that exclusions commute.
  return scoped as Effect.Effect<ShutdownReport, E | E2, Needs<Services, R, R2>>
}
