/**
 * Interrupts a program at every point where the runtime could interrupt it, and checks that nothing is lost.
 *
 * **When to use**
 *
 * Use it for code that acquires and releases: a layer, a pool, a queue between fibers, a client. A test that interrupts after
 * some time finds such bugs by chance; this one tries each point once, on virtual time, in milliseconds.
 *
 * **Details**
 *
 * The program runs once undisturbed, to record its points, then once for each point, with a fresh {@link Ledger}. At the end of
 * each run the ledger must balance, the program must have ended, no fiber may be alive, no fiber may have died of a defect, and
 * the invariants must hold. A program gets a virtual clock, random source, scheduler and scope; its other services are the
 * caller's.
 *
 * **Gotchas**
 *
 * Real time and I/O are not simulated. A program that waits for promises needs `driver: "async"`; sockets, files and `setTimeout`
 * belong behind a service with a fake. State in variables outside of `make` is not reset between runs.
 *
 * **Example**
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { InterruptLab, render } from "@fiberscope/core/testing"
 *
 * it.effect("closes the connection, whenever it is interrupted", () =>
 *   InterruptLab.verify((ledger) =>
 *     Effect.acquireUseRelease(ledger.open("connection"), () => Effect.sleep("1 second"), (lease) => ledger.close(lease))
 *   ))
 *
 * it.effect("sees the gap between an acquisition and its finalizer", () =>
 *   Effect.gen(function*() {
 *     const report = yield* InterruptLab.explore((ledger) =>
 *       Effect.flatMap(ledger.open("connection"), (lease) => Effect.ensuring(Effect.sleep("1 second"), ledger.close(lease)))
 *     )
 *     assert.include(render(report), "connection#1 was acquired and never released")
 *   }))
 * ```
 */
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Canary from "./internal/canary.ts"
import { describe } from "./internal/describe.ts"
import type { ExplorationOptions, Explored, PointKind } from "./internal/exploration.ts"
import * as Exploration from "./internal/exploration.ts"
import type { Finished } from "./internal/Lab.ts"
import { baseContext, firstLine, Lab, millis, SubjectIsBroken } from "./internal/Lab.ts"
import { placeOf, pointTo } from "./internal/places.ts"
import type { Progress } from "./internal/play.ts"
import { LabIsBlind, play } from "./internal/play.ts"
import { CurrentStage } from "./internal/Stage.ts"
import type { Report, Run } from "./LabReport.ts"
import { render } from "./LabReport.ts"
import type { Ledger } from "./Ledger.ts"
import type { FaultKind, TaskOrder } from "./Point.ts"
import { decodeToken, encodeToken, NotReplayable } from "./Point.ts"

export type { Finished } from "./internal/Lab.ts"
export type { Progress } from "./internal/play.ts"
export { LabIsBlind } from "./internal/play.ts"
export { NotReplayable } from "./Point.ts"

/**
 * How a program is explored. Every field has a default.
 *
 * @category models
 */
export interface ExploreOptions {
  /**
   * The kinds of points. Default: `park`, `task` and `idle`. `delivery` also parks a fiber where an asynchronous operation
   * delivers its result. Effect's own primitives survive it, although no scheduler that counts operations can cause it.
   */
  readonly points?: ReadonlyArray<"park" | "task" | "idle" | "delivery"> | undefined
  /** `virtual` (default) for programs that wait only for fibers and the clock; `async` for those that also wait for promises. */
  readonly driver?: "virtual" | "async" | undefined
  /** `fifo` (default) is the order of Effect's scheduler; `random` lets a seed pick the next fiber to run. */
  readonly order?: "fifo" | "random" | undefined
  /** The number of random orders to explore with `order: "random"`. Default 1. */
  readonly orders?: number | undefined
  /** The seed of the order, of the program's random numbers, and of the choice of points when not all are played. Default 0. */
  readonly seed?: number | undefined
  /** After each single point, interrupts a second time at each later point: usually another subject. */
  readonly pairs?: boolean | undefined
  /** Explores the program again for each failure that can be injected: one for each acquisition and release of the ledger. */
  readonly inject?: ReadonlyArray<FaultKind> | undefined
  /** Checks the end of each run; returns a description of what is wrong. */
  readonly invariant?: ((finished: Finished) => string | ReadonlyArray<string> | undefined) | undefined
  /**
   * For a program that never ends unless it is interrupted, such as a server: it is interrupted when nothing is due any more, or
   * after this much virtual time. `true` means 1 minute.
   */
  readonly endless?: boolean | Duration.Input | undefined
  /** The virtual time that fibers may outlive the program. Default 1 minute. */
  readonly grace?: Duration.Input | undefined
  /** `async` only: real time to wait for promises before virtual time advances. Default 0, which is two turns of the event loop. */
  readonly settle?: Duration.Input | undefined
  /** The number of operations after which a run is stopped as endless. Default 200 000. */
  readonly maxOps?: number | undefined
  /** The maximum number of runs (default 10 000), and the maximum real time: beyond it the exploration is a sample, chosen by the seed. */
  readonly budget?: { readonly runs?: number | undefined; readonly time?: Duration.Input | undefined } | undefined
  /** Called several times a second during a long exploration. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/**
 * Interruption breaks the program. The message holds the simplest failure and its token; the report holds all of them.
 *
 * @category errors
 */
export class NotInterruptSafe extends Data.TaggedError("NotInterruptSafe")<{ readonly report: Report }> {
  constructor(args: { readonly report: Report }) {
    super(args)
    // Test runners and loggers print the message; enumerable fields would be printed in addition.
    Object.defineProperty(this, "report", { enumerable: false })
  }
  override [NodeInspectSymbol](): string {
    return String(this.stack)
  }
  override get message(): string {
    return render(this.report)
  }
}

/**
 * A second run of the program, which should have been the same, took a different path: its points cannot be identified.
 *
 * @category errors
 */
export class NotDeterministic extends Data.TaggedError("NotDeterministic")<{ readonly token: string }> {
  override get message(): string {
    return `The program takes a different path each time it runs (seen at ${this.token}), so its points cannot be explored. Look for state `
      + "outside of the function that makes the program, for real time (Date.now, setTimeout), and for fibers started with Effect.runFork."
  }
}

/** A program under test. It receives the ledger of its run. */
type Make<E, R> = (ledger: Ledger) => Effect.Effect<unknown, E, R>

/**
 * Plays a program at every point and reports the failures.
 *
 * **When to use**
 *
 * Use it to examine the failures themselves; {@link verify} fails the test for you.
 *
 * @category exploring
 */
export const explore = <E, R>(
  make: Make<E, R>,
  options: ExploreOptions = {}
): Effect.Effect<Report, NotDeterministic | LabIsBlind, Exclude<R, Scope.Scope>> =>
  withLab(make, options, false, (lab, resolved) => exploring(lab, resolved, options))

/**
 * Plays a program at every point, and fails with {@link NotInterruptSafe} if a run failed.
 *
 * **Details**
 *
 * In a property over random programs, the property shrinks the program first; then this function shrinks the point and the order.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, Schema } from "effect"
 * import { InterruptLab } from "@fiberscope/core/testing"
 *
 * it.effect.prop(
 *   "any number of nested scopes closes",
 *   { depth: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })) },
 *   ({ depth }) =>
 *     InterruptLab.verify((ledger) => {
 *       const nested = (n: number): Effect.Effect<void, unknown> =>
 *         n === 0
 *           ? Effect.sleep("1 second")
 *           : Effect.acquireUseRelease(ledger.open("a"), () => nested(n - 1), (lease) => ledger.close(lease))
 *       return nested(depth)
 *     })
 * )
 * ```
 *
 * @category exploring
 */
export const verify = <E, R>(
  make: Make<E, R>,
  options: ExploreOptions = {}
): Effect.Effect<Report, NotInterruptSafe | NotDeterministic | LabIsBlind, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(
    explore(make, options),
    (report) =>
      report.failures.length > 0
        ? Effect.fail(pointTo(new NotInterruptSafe({ report }), [
          ...report.simplest?.interruptions.map(({ at }) => at) ?? [],
          placeOf(make)
        ]))
        : report.sampled === undefined && report.unreached === 0
        ? Effect.succeed(report)
        : Effect.as(Effect.logInfo(`InterruptLab: ${render(report)}`), report)
  )

/**
 * Plays exactly the run that a token stands for, and returns its full record: operations, ledger and problems.
 *
 * **When to use**
 *
 * Use it in place of `verify` while you look for the cause of a failure. It also shows the logs of the program.
 *
 * **Gotchas**
 *
 * Pass the options of the exploration too: they are not part of the token. If the program has changed and takes a different path
 * to the point, replaying fails with `NotReplayable`.
 *
 * @category exploring
 */
export const replay = <E, R>(
  make: Make<E, R>,
  token: string,
  options: ExploreOptions = {}
): Effect.Effect<Run, NotReplayable | LabIsBlind, Exclude<R, Scope.Scope>> => {
  const decoded = decodeToken(token)
  if (decoded instanceof NotReplayable) return Effect.fail(decoded)
  const { plan, trace } = decoded
  return withLab(make, options, true, (lab) =>
    Effect.flatMap(describe(lab, plan), (run) => {
      const { applied } = run.outcome.stage
      if (applied.length < plan.points.length) {
        return Effect.fail(new NotReplayable({ token, reason: "the program ends before it reaches the point." }))
      }
      if (trace !== undefined && applied[0]?.trace !== trace) {
        return Effect.fail(
          new NotReplayable({
            token,
            reason: "the program has changed: it takes a different path to the point. Explore it again."
          })
        )
      }
      return Effect.succeed(run.run)
    }))
}

/**
 * Marks the part of a program that is interrupted, if that is not the whole program: the code before and after it runs
 * undisturbed.
 *
 * **When to use**
 *
 * Use it to test a shared resource: build it first, interrupt one user of it, and then check that it still works.
 *
 * **Details**
 *
 * Points are those at which the subject is alive, in any fiber. A program may have several subjects, concurrent or in sequence:
 * one of them is interrupted in each run, or two with `pairs`. Outside of a lab the subject just runs. With `again` the same
 * effect runs a second time, uninterrupted, and must succeed within an hour of virtual time: the resources that it shares must
 * have been left in order.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, Semaphore } from "effect"
 * import { InterruptLab } from "@fiberscope/core/testing"
 *
 * it.effect("gives its permit back", () =>
 *   InterruptLab.verify(() =>
 *     Effect.gen(function*() {
 *       const semaphore = yield* Semaphore.make(1)
 *       yield* InterruptLab.subject(semaphore.withPermits(1)(Effect.sleep("1 second")), { again: true })
 *     })
 *   ))
 * ```
 *
 * @category exploring
 */
export const subject = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: { readonly again?: boolean | undefined }
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.withFiber((fiber) => {
    const stage = fiber.getRef(CurrentStage)
    if (stage === undefined) return Effect.exit(effect)
    const first = Effect.suspend(() => {
      stage.beginSubject()
      return Effect.flatMap(Effect.forkChild(effect, { startImmediately: true }), Fiber.await)
    })
    return options?.again === true ? Effect.tap(first, () => undisturbed(effect)) : first
  })

const undisturbed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(Effect.exit(Effect.timeoutOption(effect, "1 hour")), (exit) => {
    if (exit._tag === "Success" && Option.isSome(exit.value)) return Effect.void
    const how = exit._tag === "Success"
      ? "did not complete within 1 hour (virtual)"
      : `failed with ${firstLine(exit.cause)}`
    return Effect.die(new SubjectIsBroken({ how }))
  })

// ---------------------------------------------------------------- internals

const withLab = <E, R, A, E2>(
  make: Make<E, R>,
  options: ExploreOptions,
  logs: boolean,
  use: (lab: Lab, resolved: ExplorationOptions) => Effect.Effect<A, E2>
): Effect.Effect<A, E2 | LabIsBlind, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>): Effect.Effect<A, E2 | LabIsBlind> => {
    const time = options.budget?.time
    const blind = Canary.check()
    if (blind !== undefined) return Effect.fail(new LabIsBlind({ reason: blind }))
    const kinds = new Set<PointKind>(options.points ?? ["park", "task", "idle"])
    const seed = options.seed ?? 0
    const lab = new Lab({
      make: make as Make<unknown, unknown>,
      context: baseContext(context as Context.Context<never>, logs),
      invariant: options.invariant,
      maxOps: options.maxOps ?? 200_000,
      grace: millis(options.grace ?? "1 minute"),
      endless: options.endless === true
        ? 60_000
        : options.endless === undefined || options.endless === false
        ? undefined
        : millis(options.endless),
      deliveries: kinds.has("delivery"),
      settle: options.settle === undefined ? 0 : millis(options.settle)
    })
    if (kinds.has("delivery")) kinds.add("park")
    return use(lab, {
      driver: options.driver ?? "virtual",
      kinds,
      orders: options.order === "random"
        ? Array.from({ length: options.orders ?? 1 }, (_, i): TaskOrder => ({ _tag: "Seed", seed: seed + i }))
        : [{ _tag: "Fifo" }],
      seed,
      pairs: options.pairs ?? false,
      faults: options.inject ?? [],
      maxRuns: options.budget?.runs ?? 10_000,
      until: time === undefined ? Infinity : performance.now() + millis(time)
    })
  })

const exploring = (
  lab: Lab,
  resolved: ExplorationOptions,
  options: ExploreOptions
): Effect.Effect<Report, NotDeterministic | LabIsBlind> =>
  Effect.gen(function*() {
    const began = performance.now()
    let explored = yield* play(lab, Exploration.explore(resolved), options.onProgress)
    // The first run of a program may differ from all others, because it fills caches: explore again.
    if (explored.drifted !== undefined && resolved.driver === "virtual") {
      explored = yield* play(lab, Exploration.explore(resolved), options.onProgress)
      if (explored.drifted !== undefined) {
        return yield* new NotDeterministic({ token: encodeToken(explored.drifted.plan, undefined) })
      }
    }
    const millis = performance.now() - began
    const simplest = explored.failures.length === 0
      ? undefined
      : yield* describe(lab, (yield* play(lab, Exploration.shrink(resolved, explored))).plan)
    return reportOf(explored, simplest?.run, millis, resolved.seed)
  })

const reportOf = (
  explored: Explored,
  simplest: Run | undefined,
  millis: number,
  seed: number
): Report => {
  const { ops, tasks, idles, now } = explored.undisturbed.stage
  const { failures, planned, points, runs } = explored
  return {
    runs,
    millis,
    points,
    undisturbed: { ops, tasks, idles, ms: now },
    sampled: runs < planned && failures.length === 0 ? { planned, seed } : undefined,
    unreached: explored.drifts,
    failures: failures.map(({ plan, problems, stage }) => ({
      token: encodeToken(plan, stage.applied[0]?.trace),
      plan,
      problems
    })),
    simplest
  }
}
