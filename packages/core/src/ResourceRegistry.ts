/**
 * Finalizers with names and time limits: open resources can be listed, and a finalizer that never ends cannot block the others or
 * the process.
 *
 * **When to use**
 *
 * Use it for the resources of a service that depend on external code to close: connections, servers, files, clients of other
 * services.
 *
 * **Details**
 *
 * A resource is released by the end of its scope, by {@link ResourceRegistry} `closeAll` or by the end of the registry's layer,
 * whichever comes first, and only once. Its release runs in a fiber of its own. A release that exceeds its time limit is
 * interrupted, and abandoned if it does not respond.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { takePart } from "./GracefulShutdown.ts"
import { siteOf } from "./internal/fibers/siteOf.ts"
import { instrument } from "./internal/instruments.ts"
import { isDue } from "./internal/isDue.ts"
import { monotonic } from "./internal/monotonic.ts"
import { renderClosed } from "./internal/renderClosed.ts"
import { reportFailure, runDetached } from "./internal/reportFailure.ts"
import { closingOrder } from "./internal/resources/closingOrder.ts"
import { rounded } from "./internal/rounded.ts"
import { wasAbandoned } from "./internal/wasAbandoned.ts"

/**
 * A resource that is open, being acquired or being released.
 *
 * @category models
 */
export interface OpenResource {
  readonly name: string
  /** `stuck`: its release has exceeded its time limit, does not respond to interruption and still runs. */
  readonly status: "acquiring" | "open" | "closing" | "stuck"
  readonly phase: number
  /** The time since its registration began. */
  readonly age: Duration.Duration
  /** The id of the fiber that registered it. */
  readonly owner: number
  readonly site: FiberSite
}

/**
 * The result of closing a resource. `timedOut`: its release had to be interrupted. `stuck`: the release did not respond to
 * interruption, or the resource was still being acquired.
 *
 * @category models
 */
export interface ClosedResource {
  readonly name: string
  readonly outcome: "released" | "failed" | "timedOut" | "stuck"
  /** The duration of the release, until it was abandoned if it was stuck. */
  readonly took: Duration.Duration
  readonly site: FiberSite
  /** The cause of the failure. */
  readonly cause: Cause.Cause<unknown> | undefined
}

/**
 * The resources that were released, and those that were not released in time.
 *
 * @category models
 */
export interface CloseReport {
  /** In the intended closing order. */
  readonly resources: ReadonlyArray<ClosedResource>
  readonly elapsed: Duration.Duration
}

/**
 * The name of a resource, and the limits and order of its release.
 *
 * @category models
 */
export interface RegisterOptions {
  /** The maximum time for the release. Default: that of the registry. */
  readonly closeTimeout?: Duration.Input | undefined
  /** The phase of the resource: `closeAll` closes lower phases first. Default 0. */
  readonly phase?: number | undefined
  /** Names of resources that must be closed before this one is. */
  readonly after?: string | ReadonlyArray<string> | undefined
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface ResourceRegistryOptions {
  /** The attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** The maximum time for one release. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
  /** The maximum time for the end of the layer. Default 30 seconds. In a shutdown, its phase `resources` closes everything before that. */
  readonly closeDeadline?: Duration.Input | undefined
  /**
   * `sequential` (the default) closes in the reverse order of registration, as a scope does. `parallel` closes all resources of a
   * phase at once, except those that are `after` others.
   */
  readonly strategy?: "sequential" | "parallel" | undefined
}

/**
 * A registration was attempted after the closing had begun. The resource was not acquired, or it was released again.
 *
 * @category errors
 */
export class RegistryClosed extends Data.TaggedError("RegistryClosed")<{
  /** The name of the resource. */
  readonly name: string
}> {
  override get message(): string {
    return `"${this.name}" was not opened: all resources are being closed. Stop the code that opens it before closeAll is called`
  }
}

/**
 * Keeps resources by name, and releases each of them exactly once.
 *
 * @category services
 */
export class ResourceRegistry extends Context.Service<ResourceRegistry, {
  /**
   * Acquires a resource for the lifetime of the scope, and lists it by name until its release has ended.
   *
   * **Details**
   *
   * As with `Effect.acquireRelease`, the acquisition is not interrupted. A failing release is logged and given to the error
   * reporters, and has no other effect. A release does not inherit the deadline of the registration.
   */
  readonly register: <A, E, R, R2 = never>(
    name: string,
    acquire: Effect.Effect<A, E, R>,
    release: (resource: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown, R2>,
    options?: RegisterOptions
  ) => Effect.Effect<A, E | RegistryClosed, R | R2 | Scope.Scope>

  /** The resources that have not ended, oldest first. */
  readonly open: Effect.Effect<ReadonlyArray<OpenResource>>

  /**
   * Closes everything, and accepts no more registrations. Ends by the deadline, or by the enclosing one if that is earlier.
   *
   * **Details**
   *
   * The lowest phase closes first; within a phase, resources close in the reverse order of registration; a resource with `after`
   * closes after the named ones. A stuck release delays the next one by at most its own limit. The last fifth of the time is for
   * all remaining resources: they are released at once, in any order. Default 30 seconds.
   */
  readonly closeAll: (deadline?: Duration.Input) => Effect.Effect<CloseReport>
}>()("@fiberscope/core/ResourceRegistry") {
  static layer(options?: ResourceRegistryOptions): Layer.Layer<ResourceRegistry> {
    return Layer.effect(ResourceRegistry, make(options))
  }

  static layerConfig(config: Config.Wrap<ResourceRegistryOptions>): Layer.Layer<ResourceRegistry, Config.ConfigError> {
    return Layer.effect(ResourceRegistry, Effect.flatMap(Config.unwrap(config), make))
  }
}

interface Entry {
  readonly name: string
  readonly phase: number
  readonly after: ReadonlyArray<string>
  readonly closeTimeout: number
  readonly context: Context.Context<never>
  readonly owner: number
  readonly capturedAt: Fiber.Fiber.Cache
  /** Milliseconds of the monotonic clock, like all times here. */
  readonly since: number
  readonly ended: Latch.Latch
  status: OpenResource["status"] | "closed"
  release: ((exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown>) | undefined
  /** The time at which its closing was requested. */
  asked: number | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  interrupted: boolean
  outcome: ClosedResource["outcome"] | undefined
  took: number
  cause: Cause.Cause<unknown> | undefined
}

/** The share of a deadline in which the closing order is kept. */
const orderly = 0.8

/**
 * Makes the registry in a scope, and closes everything when the scope closes.
 *
 * **Example**
 *
 * ```ts
 * import { render, ResourceRegistry } from "@fiberscope/core/ResourceRegistry"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const registry = yield* ResourceRegistry
 *   yield* registry.register("database", Effect.succeed({}), () => Effect.sleep("10 millis"))
 *   yield* registry.register("queue", Effect.succeed({}), () => Effect.never, { closeTimeout: "50 millis" })
 *   const report = yield* registry.closeAll("1 second")
 *   console.log(render(report)) // queue: interrupted after 50ms; database: released after 10ms
 * })
 *
 * Effect.runFork(program.pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer())))
 * ```
 *
 * @category constructors
 */
export const make = (
  options: ResourceRegistryOptions = {}
): Effect.Effect<ResourceRegistry["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const now = monotonic(clock)
    const { closeDeadline = "30 seconds", name = "default", strategy = "sequential" } = options
    const timeout = Duration.fromInputUnsafe(options.closeTimeout ?? "5 seconds")
    const entries = new Set<Entry>()
    const counts = { stuck: 0, closed: 0, failed: 0, timedOut: 0 }
    let closed = false
    yield* instrument({
      module: "resources",
      name,
      gauges: { open: () => entries.size, stuck: () => counts.stuck },
      counters: { closed: () => counts.closed, failed: () => counts.failed, timed_out: () => counts.timedOut }
    })

    const end = (entry: Entry): void => {
      entries.delete(entry)
      entry.status = "closed"
      entry.ended.openUnsafe()
    }

    const released = (entry: Entry, exit: Exit.Exit<unknown, unknown>): void => {
      const { context, status } = entry
      entry.took = now() - entry.asked!
      const took = rounded(entry.took)
      counts.closed++
      if (status === "stuck") {
        counts.stuck--
        runDetached(context, Effect.logWarning(`"${entry.name}", whose release was stuck, is closed after ${took}`))
      } else entry.outcome = Exit.isSuccess(exit) ? "released" : entry.interrupted ? "timedOut" : "failed"
      if (entry.outcome === "timedOut") {
        counts.timedOut++
        runDetached(
          context,
          Effect.logWarning(`The release of "${entry.name}" did not end within ${took} and was interrupted`)
        )
      }
      if (Exit.isFailure(exit) && !(entry.interrupted && Cause.hasInterruptsOnly(exit.cause))) {
        counts.failed++
        entry.cause = exit.cause
        runDetached(context, reportFailure(exit.cause, `the release of ${entry.name}`))
      }
      end(entry)
    }

    /** Begins the release, unless it has begun or the resource is still being acquired. */
    const begin = (entry: Entry, exit: Exit.Exit<unknown, unknown>): void => {
      if (entry.status === "acquiring") entry.asked ??= now()
      if (entry.status !== "open") return
      entry.status = "closing"
      // The resource may have been given up while it was being acquired; its release still has its own time limit.
      entry.asked = now()
      entry.outcome = undefined
      const release = Deadline.unbounded(Effect.suspend(() => entry.release!(exit)))
      entry.fiber = Effect.runForkWith(entry.context)(release)
      entry.fiber.addObserver((ended) => released(entry, ended))
    }

    const giveUp = (entry: Entry): void => {
      const { context, fiber } = entry
      if (entry.status === "closed" || entry.outcome === "stuck") return
      entry.interrupted = true
      fiber?.interruptUnsafe()
      // If that ended the fiber, its observer was called during the interruption above.
      if (isClosed(entry)) return
      entry.outcome = "stuck"
      entry.took = now() - entry.asked!
      const took = rounded(entry.took)
      const site = renderSite(siteOf(entry.capturedAt))
      if (fiber === undefined) {
        return runDetached(
          context,
          Effect.logError(`"${entry.name}" is still being acquired after ${took}. It was registered by ${site}`)
        )
      }
      entry.status = "stuck"
      counts.stuck++
      runDetached(
        context,
        Effect.logError(
          `The release of "${entry.name}" did not end within ${took}, ${wasAbandoned}. `
            + `It was registered by ${site}`
        )
      )
    }

    const limitOf = (entry: Entry) => entry.asked! + entry.closeTimeout

    /** Waits for the end until a time, and then gives up if the resource's own limit or the final deadline has come. */
    const settle = (entry: Entry, until: number, last: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isClosed(entry)) return Effect.void
        const at = Math.min(limitOf(entry), until)
        if (!isDue(at, now())) {
          // Timers fire up to a millisecond early: check the time again.
          const sleep = Effect.sleep(at - now())
          return Effect.andThen(Effect.raceFirst(entry.ended.await, sleep), settle(entry, until, last))
        }
        return Effect.sync(() => {
          if (isDue(Math.min(limitOf(entry), last), now())) giveUp(entry)
        })
      })

    const settleAll = (some: ReadonlyArray<Entry>, until: number, last: number) =>
      Effect.forEach(some, (entry) => settle(entry, until, last), { concurrency: "unbounded", discard: true })

    const release = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
      Effect.suspend(() => {
        begin(entry, exit)
        return isClosed(entry) ? Effect.void : settle(entry, Infinity, Infinity)
      })

    const register: ResourceRegistry["Service"]["register"] = (label, acquire, onRelease, registerOptions = {}) =>
      Effect.uninterruptible(Effect.withFiber((fiber) => {
        if (closed) return Effect.fail(new RegistryClosed({ name: label }))
        const { after = [], closeTimeout = timeout, phase = 0 } = registerOptions
        const entry: Entry = {
          name: label,
          phase,
          after: [after].flat(),
          closeTimeout: Duration.toMillis(Duration.fromInputUnsafe(closeTimeout)),
          context: fiber.context,
          owner: fiber.id,
          capturedAt: fiber.cache,
          since: now(),
          ended: Latch.makeUnsafe(),
          status: "acquiring",
          release: undefined,
          asked: undefined,
          fiber: undefined,
          interrupted: false,
          outcome: undefined,
          took: 0,
          cause: undefined
        }
        entries.add(entry)
        const acquired = Effect.flatMap(acquire, (resource) => {
          // All services of the release are in the context of the entry.
          entry.release = onRelease.bind(undefined, resource) as Entry["release"]
          entry.status = "open"
          if (closed) return Effect.andThen(release(entry, Exit.void), Effect.fail(new RegistryClosed({ name: label })))
          const finalizer = (exit: Exit.Exit<unknown, unknown>) => release(entry, exit)
          return Effect.as(Scope.addFinalizerExit(Context.getUnsafe(fiber.context, Scope.Scope), finalizer), resource)
        })
        return Effect.onExitPrimitive(acquired, () => {
          if (entry.status === "acquiring") end(entry)
          return undefined
        })
      }))

    const closeAll = (deadline: Duration.Input = "30 seconds"): Effect.Effect<CloseReport> =>
      Effect.gen(function*() {
        closed = true
        const start = now()
        const around = Duration.toMillis(yield* Deadline.remaining)
        const last = start + Math.min(Duration.toMillis(Duration.fromInputUnsafe(deadline)), around)
        const until = start + (last - start) * orderly
        const waves = closingOrder([...entries], strategy)
        for (const wave of waves) {
          if (isDue(until, now())) break
          for (const entry of wave) begin(entry, Exit.void)
          yield* settleAll(wave, until, last)
        }
        const all = waves.flat()
        for (const entry of all) begin(entry, Exit.void)
        yield* settleAll(all, last, last)
        return {
          resources: all.map((entry) => ({
            name: entry.name,
            outcome: entry.outcome ?? "stuck",
            took: Duration.millis(entry.took),
            site: siteOf(entry.capturedAt),
            cause: entry.cause
          })),
          elapsed: Duration.millis(now() - start)
        }
      })

    yield* Effect.addFinalizer(() => closeAll(closeDeadline))
    yield* takePart(`resources ${name}`, Effect.flatMap(Deadline.remaining, closeAll), { order: "resources" })

    return ResourceRegistry.of({
      register,
      closeAll,
      open: Effect.sync(() =>
        [...entries].map((entry): OpenResource => ({
          name: entry.name,
          status: entry.status as OpenResource["status"],
          phase: entry.phase,
          age: Duration.millis(now() - entry.since),
          owner: entry.owner,
          site: siteOf(entry.capturedAt)
        }))
      )
    })
  })

/** A function call, because the status changes in a way that the compiler cannot see. */
const isClosed = ({ status }: Entry): boolean => status === "closed"

const labels = { released: "released", failed: "failed", timedOut: "interrupted", stuck: "stuck" }

/**
 * Renders a report: one line for each resource, with the site of those that were not released normally.
 *
 * @category rendering
 */
export const render = ({ elapsed, resources }: CloseReport): string =>
  renderClosed(
    "resource",
    elapsed,
    resources.map(({ outcome, site, ...closed }) => ({
      ...closed,
      outcome: labels[outcome],
      where: outcome === "released" ? undefined : `, registered by ${renderSite(site)}`
    }))
  )
