/**
 * Finalizers with names and limits: what is open can be asked, and one that never ends cannot keep the others, or the process, from
 * ending.
 *
 * **When to use**
 *
 * Use it for the resources of a service whose end somebody else decides: connections, servers, files, clients of other services.
 *
 * **Details**
 *
 * A resource is released by the end of its scope, by {@link ResourceRegistry} `closeAll` or by the end of the registry's layer,
 * whichever comes first, and once. Its release runs in a fiber of its own. When that has used up its time it is interrupted, and left
 * behind when it does not heed that.
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
import { renderClosed } from "./internal/renderClosed.ts"
import { reportFailure, sayNow } from "./internal/reportFailure.ts"
import { closingOrder } from "./internal/resources/closingOrder.ts"
import { rounded } from "./internal/rounded.ts"

/**
 * A resource that is there, or that is on its way in or out.
 *
 * @category models
 */
export interface OpenResource {
  readonly name: string
  /** `stuck`: its release has used up its time, does not heed its interruption and still runs. */
  readonly status: "acquiring" | "open" | "closing" | "stuck"
  readonly phase: number
  /** Since its registration began. */
  readonly age: Duration.Duration
  /** The id of the fiber that registered it. */
  readonly owner: number
  readonly site: FiberSite
}

/**
 * What became of a resource. `timedOut`: its release had to be interrupted. `stuck`: that did not help, or it was still being acquired.
 *
 * @category models
 */
export interface ClosedResource {
  readonly name: string
  readonly outcome: "released" | "failed" | "timedOut" | "stuck"
  /** How long the release took, until it was given up where it was. */
  readonly took: Duration.Duration
  readonly site: FiberSite
  /** Why it failed. */
  readonly cause: Cause.Cause<unknown> | undefined
}

/**
 * The resources that were released, and those that were not in time.
 *
 * @category models
 */
export interface CloseReport {
  /** In the order in which they were to be closed. */
  readonly resources: ReadonlyArray<ClosedResource>
  readonly elapsed: Duration.Duration
}

/**
 * The name of a resource, and how it is released.
 *
 * @category models
 */
export interface RegisterOptions {
  /** How long the release may take. Default: that of the registry. */
  readonly closeTimeout?: Duration.Input | undefined
  /** `closeAll` closes low phases first. Default 0. */
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
  /** How long a release may take. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
  /** How long the end of the layer may take. Default 30 seconds. In a shutdown, its phase `resources` closes everything before. */
  readonly closeDeadline?: Duration.Input | undefined
  /**
   * `sequential` (the default) closes in the reverse order of registration, as a scope does. `parallel` closes all of a phase at once,
   * but for those that are `after` others.
   */
  readonly strategy?: "sequential" | "parallel" | undefined
}

/**
 * A resource was to be registered after the end had begun. It was not acquired, or it was released again.
 *
 * @category errors
 */
export class RegistryClosed extends Data.TaggedError("RegistryClosed")<{
  /** The resource. */
  readonly name: string
}> {
  override get message(): string {
    return `"${this.name}" is not opened: all resources are being closed. Stop what opens it before closeAll is called`
  }
}

/**
 * Keeps resources by name, and releases each of them exactly once.
 *
 * @category services
 */
export class ResourceRegistry extends Context.Service<ResourceRegistry, {
  /**
   * Acquires a resource for the lifetime of the scope, and lists it under a name until its release has ended.
   *
   * **Details**
   *
   * As with `Effect.acquireRelease`, the acquisition is not interrupted. A release that fails is logged and given to the error
   * reporters; it fails nothing else. A release begins without the deadline that was around the registration.
   */
  readonly register: <A, E, R, R2 = never>(
    name: string,
    acquire: Effect.Effect<A, E, R>,
    release: (resource: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown, R2>,
    options?: RegisterOptions
  ) => Effect.Effect<A, E | RegistryClosed, R | R2 | Scope.Scope>

  /** What is there, oldest first. */
  readonly open: Effect.Effect<ReadonlyArray<OpenResource>>

  /**
   * Closes everything, and registers nothing from now on. Ends by the deadline, or by the one around when that is earlier.
   *
   * **Details**
   *
   * Phases, lowest first; within a phase in the reverse order of registration; a resource that says `after` when those are closed. One
   * that is stuck delays the next by its own limit and no more. The last fifth of the time belongs to all that are left: they are
   * released at once, in whatever order. Default 30 seconds.
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
  readonly taken: Fiber.Fiber.Cache
  /** Milliseconds of the monotonic clock, as all times here. */
  readonly since: number
  readonly ended: Latch.Latch
  status: OpenResource["status"] | "closed"
  release: ((exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown>) | undefined
  /** When somebody asked for its end. */
  asked: number | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  interrupted: boolean
  outcome: ClosedResource["outcome"] | undefined
  took: number
  cause: Cause.Cause<unknown> | undefined
}

/** The part of a deadline in which the order is kept. */
const orderly = 0.8

/**
 * Makes the registry in a scope, with whose end it closes everything.
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
    const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
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
        sayNow(context, Effect.logWarning(`"${entry.name}", whose release was stuck, is closed after ${took}`))
      } else entry.outcome = Exit.isSuccess(exit) ? "released" : entry.interrupted ? "timedOut" : "failed"
      if (entry.outcome === "timedOut") {
        counts.timedOut++
        sayNow(
          context,
          Effect.logWarning(`The release of "${entry.name}" did not end within ${took} and was interrupted`)
        )
      }
      if (Exit.isFailure(exit) && !(entry.interrupted && Cause.hasInterruptsOnly(exit.cause))) {
        counts.failed++
        entry.cause = exit.cause
        sayNow(context, reportFailure(exit.cause, `the release of ${entry.name}`))
      }
      end(entry)
    }

    /** Begins the release, unless that has happened or it is still being acquired. */
    const begin = (entry: Entry, exit: Exit.Exit<unknown, unknown>): void => {
      if (entry.status === "acquiring") entry.asked ??= now()
      if (entry.status !== "open") return
      entry.status = "closing"
      // It may have been given up while it was being acquired; its release has the time that it was given.
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
      // If that was the end of the fiber, its observer has seen it in the line above.
      if (isClosed(entry)) return
      entry.outcome = "stuck"
      entry.took = now() - entry.asked!
      const took = rounded(entry.took)
      const site = renderSite(siteOf(entry.taken))
      if (fiber === undefined) {
        return sayNow(
          context,
          Effect.logError(`"${entry.name}" is still being acquired after ${took}. It was registered by ${site}`)
        )
      }
      entry.status = "stuck"
      counts.stuck++
      sayNow(
        context,
        Effect.logError(
          `The release of "${entry.name}" did not end within ${took}, does not heed its interruption and is left behind. `
            + `It was registered by ${site}`
        )
      )
    }

    const limitOf = (entry: Entry) => entry.asked! + entry.closeTimeout

    /** Waits for the end until a time, and gives up then if its own limit or the last moment has come. */
    const settle = (entry: Entry, until: number, last: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isClosed(entry)) return Effect.void
        const at = Math.min(limitOf(entry), until)
        if (!isDue(at, now())) {
          // Timers fire up to a millisecond early: it looks again.
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
          taken: fiber.cache,
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
          // The services of the release are in the context of the entry.
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
            site: siteOf(entry.taken),
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
          site: siteOf(entry.taken)
        }))
      )
    })
  })

/** A call, because the status changes where the compiler does not look. */
const isClosed = ({ status }: Entry): boolean => status === "closed"

const words = { released: "released", failed: "failed", timedOut: "interrupted", stuck: "stuck" }

/**
 * Renders a report: one line for each resource, with the site of those that did not end by themselves.
 *
 * @category rendering
 */
export const render = ({ elapsed, resources }: CloseReport): string =>
  renderClosed(
    "resource",
    elapsed,
    resources.map(({ outcome, site, ...closed }) => ({
      ...closed,
      outcome: words[outcome],
      where: outcome === "released" ? undefined : `, registered by ${renderSite(site)}`
    }))
  )
