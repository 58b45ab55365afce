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
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import type { FiberSite } from "./FiberSite.ts"
import { renderSite } from "./FiberSite.ts"
import { takePart } from "./GracefulShutdown.ts"
import { siteOf } from "./internal/fibers/siteOf.ts"
import { instrument } from "./internal/instruments.ts"
import { monotonic } from "./internal/monotonic.ts"
import { renderClosed } from "./internal/renderClosed.ts"
import type { Entry } from "./internal/resources/RegistryCore.ts"
import { RegistryCore } from "./internal/resources/RegistryCore.ts"

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
    const now = monotonic(yield* Clock.Clock)
    const { closeDeadline = "30 seconds", name = "default", strategy = "sequential" } = options
    const timeout = options.closeTimeout ?? "5 seconds"
    const core = new RegistryCore(now, strategy, (label) => new RegistryClosed({ name: label }))
    yield* instrument({
      module: "resources",
      name,
      gauges: { open: () => core.entries.size, stuck: () => core.counts.stuck },
      counters: {
        closed: () => core.counts.closed,
        failed: () => core.counts.failed,
        timed_out: () => core.counts.timedOut
      }
    })
    const closeAll = (deadline: Duration.Input = "30 seconds"): Effect.Effect<CloseReport> =>
      Effect.map(core.closeAll(Duration.toMillis(Duration.fromInputUnsafe(deadline))), reportOf)
    yield* Effect.addFinalizer(() => closeAll(closeDeadline))
    yield* takePart(`resources ${name}`, Effect.flatMap(Deadline.remaining, closeAll), { order: "resources" })
    return ResourceRegistry.of({
      register: (label, acquire, release, { after = [], closeTimeout = timeout, phase = 0 } = {}) =>
        core.register({
          name: label,
          acquire,
          release,
          phase,
          after: [after].flat(),
          closeTimeout: Duration.toMillis(Duration.fromInputUnsafe(closeTimeout))
        }),
      closeAll,
      open: Effect.sync(() => [...core.entries].map((entry) => openOf(entry, now())))
    })
  })

const openOf = (entry: Entry, now: number): OpenResource => ({
  name: entry.name,
  status: entry.status as OpenResource["status"],
  phase: entry.phase,
  age: Duration.millis(now - entry.since),
  owner: entry.owner,
  site: siteOf(entry.capturedAt)
})

const reportOf = (
  { closed, elapsed }: { readonly closed: ReadonlyArray<Entry>; readonly elapsed: number }
): CloseReport => ({
  resources: closed.map((entry) => ({
    name: entry.name,
    outcome: entry.outcome ?? "stuck",
    took: Duration.millis(entry.took),
    site: siteOf(entry.capturedAt),
    cause: entry.cause
  })),
  elapsed: Duration.millis(elapsed)
})

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
