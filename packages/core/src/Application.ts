/**
 * Boots, uses and stops a whole service several times in one process, and reports what remains afterwards.
 *
 * **When to use**
 *
 * Use it in a test of the layer that your `main` launches. Everything that a service fails to clean up at its end remains after every
 * test, in every worker and after every hot reload. Most of what leaks while a service runs leaks here too, only faster.
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
import { heapFloor, remainingSince, takeSnapshot, watchFibers } from "./internal/application/processSnapshot.ts"

/**
 * How often a service is booted and stopped, and the work it does in each cycle.
 *
 * @category models
 */
export interface RunOptions<E, R> extends GracefulShutdownOptions {
  /** The number of times the service is booted and stopped. Default 10; at least 1. Heap growth is judged from 20 cycles on. */
  readonly cycles?: number | undefined
  /** The work of the service in each cycle. Default: nothing. */
  readonly work?: Effect.Effect<unknown, E, R> | undefined
  /**
   * Cycles before the first one that is judged. Something made only once, such as a connection of a global client, is not a leak.
   * Default 1.
   */
  readonly warmUp?: number | undefined
  /** The time after the layer has closed within which everything must be released. Default 1 second. */
  readonly settle?: Duration.Input | undefined
}

/**
 * The result of all cycles. `heap` is present when there were enough cycles to judge it.
 *
 * @category models
 */
export interface ApplicationReport {
  readonly cycles: number
  readonly heap: Growth | undefined
}

export type { Growth } from "./internal/application/growth.ts"

/**
 * Something remains after the service has stopped. Each line of `left` says what it is, how many there are, and where it comes
 * from if that is known.
 *
 * @category errors
 */
export class NotAtRest extends Data.TaggedError("NotAtRest")<{
  /** The cycle after which it was seen, counted from 1. */
  readonly cycle: number
  readonly left: ReadonlyArray<string>
}> {
  override get message(): string {
    return [`The service is not at rest after cycle ${this.cycle}:`, ...this.left.map((line) => `  ${line}`)].join("\n")
  }
}

/**
 * The service did not stop in order: a phase failed, timed out or was abandoned, or the service was still held open.
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
 * Boots a layer, runs its work and stops it, `cycles` times; fails with {@link NotAtRest} when something remains.
 *
 * **Gotchas**
 *
 * It observes the whole process: run nothing beside it. Under a test clock nothing settles without an adjustment of the clock:
 * use `it.live`. Heap growth below about 0.5 % over all cycles cannot be distinguished from noise; more cycles reveal a smaller
 * leak per cycle.
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
      yield* watchFibers
      const floors: Array<Floor> = []
      const every = Math.max(1, Math.floor(cycles / mostFloors))
      let before = yield* takeSnapshot
      for (let i = 1 - warmUp; i <= cycles; i++) {
        const report = yield* cycle(layer, options)
        if (report.held.length > 0 || report.participants.some(({ outcome }) => outcome !== "ended")) {
          return yield* new NotStopped({ cycle: i, report })
        }
        // Things made once, during warm-up, never settle: do not wait long for them.
        const left = yield* remainingSince(before, i < 1 ? Math.min(settle, warmUpSettle) : settle)
        if (i < 1) before = yield* takeSnapshot
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

/** The maximum number of heap readings: a full collection takes longer than many a cycle. */
const mostFloors = 40

/** The services that the layer and its work need, except each other, the shutdown and a scope. */
type Needs<Services, R, R2> = Exclude<R | Exclude<R2, Services>, GracefulShutdown | Scope.Scope>

type Run<Services, E, R, R2> = Effect.Effect<ApplicationReport, E | NotAtRest | NotStopped, Needs<Services, R, R2>>

/** One cycle of the service, from its start to its end. */
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
  // The compiler cannot see that nested exclusions commute.
  return scoped as Effect.Effect<ShutdownReport, E | E2, Needs<Services, R, R2>>
}
