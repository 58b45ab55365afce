/**
 * The end of a service, in order: it stops being ready, lets the world notice, stops taking work, finishes what it took, writes down
 * what it holds, closes what it has open. All within one clock.
 *
 * **When to use**
 *
 * Use {@link GracefulShutdown} `phase` for what must end before the scopes close, and before what it needs is closed; `holdOpen` around
 * work that must be finished; {@link inPhase} around the layer of a server. Run the program with `runMain` of {@link "RunMain"}, which
 * provides this service, listens to signals, and ends the process in time.
 *
 * **Details**
 *
 * A shutdown is requested by a signal or by `request`. From that moment on one clock runs, `deadline`. First `isReady` becomes false,
 * then the service goes on serving for `preStopDelay`, then the phases run: `intake`, `work`, `flush`, `resources`, those of one phase
 * side by side. Each gets its own timeout or what the clock has left, less a tenth of the whole for each phase that follows and for the
 * closing of scopes at the end. One that does not end is interrupted, reported, and the next phase begins.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentStackFrame } from "effect/References"
import * as Scope from "effect/Scope"
import type { FiberSite } from "./FiberSite.ts"
import { calledFrom } from "./internal/calledFrom.ts"
import { makeControl } from "./internal/shutdownControl.ts"

/**
 * Why the service stops.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason =
  | { readonly _tag: "Signal"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "Requested"; readonly reason: string }
  | { readonly _tag: "Fault"; readonly kind: string; readonly error: unknown }
  | { readonly _tag: "MainFailed" }

/**
 * When in a shutdown something is stopped. `intake` takes work: servers, consumers, schedules. `work` does it: tasks, mailboxes,
 * beacons. `flush` writes down what is held: batches, telemetry. `resources` closes what all the others need. A number lies between
 * or beside them: they are 100, 200, 300 and 400.
 *
 * @since 0.1.0
 * @category models
 */
export type Order = "intake" | "work" | "flush" | "resources" | number

/**
 * @since 0.1.0
 * @category models
 */
export interface PhaseOptions {
  /** Default `work`. */
  readonly order?: Order | undefined
  /** The most time that it gets. Default: what the clock allows. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What came of a participant of a phase: it ended, failed, was interrupted because its time was over, or did not heed that either and
 * was left behind. `site` is where it was registered.
 *
 * @since 0.1.0
 * @category models
 */
export interface ParticipantReport {
  readonly name: string
  readonly order: number
  readonly outcome: "running" | "ended" | "failed" | "timedOut" | "stuck"
  readonly elapsed: Duration.Duration
  readonly cause: Cause.Cause<unknown> | undefined
  readonly site: FiberSite
}

/**
 * What still held the service open when the work was to be over.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeldOpen {
  readonly label: string
  readonly age: Duration.Duration
  readonly site: FiberSite
}

/**
 * The course of a shutdown, as far as it has come: participants in the order in which they were started.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShutdownReport {
  readonly reason: Reason | undefined
  readonly elapsed: Duration.Duration
  readonly participants: ReadonlyArray<ParticipantReport>
  /** Participants of phases that have not begun. */
  readonly notStarted: ReadonlyArray<string>
  readonly held: ReadonlyArray<HeldOpen>
}

/**
 * Where the service is in its life. `waitingFor` names what a shutdown waits for at this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShutdownState {
  readonly status: "starting" | "running" | "delaying" | "draining" | "drained"
  readonly isReady: boolean
  readonly reason: Reason | undefined
  readonly waitingFor: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface GracefulShutdownOptions {
  /** How long a shutdown takes at most, all in all. Default 25 seconds: Kubernetes kills after 30. */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long the service goes on serving after the request, so that load balancers take notice. Default 5 seconds in Kubernetes (where
   * `KUBERNETES_SERVICE_HOST` is set), else 0. Part of the deadline, and half of it at most.
   */
  readonly preStopDelay?: Duration.Input | undefined
  /**
   * How much of that delay the service stays ready. Default 0. Use it behind load balancers outside of the cluster, which need time
   * before Kubernetes may take the last ready pod for a terminating one.
   */
  readonly readinessDelay?: Duration.Input | undefined
}

/**
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { GracefulShutdown } from "@fiberscope/core/GracefulShutdown"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const shutdown = yield* GracefulShutdown
 *   yield* shutdown.phase("ledger", Effect.sync(() => console.log("ledger closed")), { order: "resources" })
 *   yield* shutdown.phase("listener", Effect.sync(() => console.log("no more calls")), { order: "intake" })
 *   yield* shutdown.request("the example is over")
 *   const { participants } = yield* shutdown.awaitDrained
 *   console.log(participants.map(({ name, outcome }) => `${name} ${outcome}`)) // ["listener ended", "ledger ended"]
 * }))
 *
 * Effect.runFork(Effect.provide(program, GracefulShutdown.layer()))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class GracefulShutdown extends Context.Service<GracefulShutdown, {
  /**
   * Has an effect run once when the service stops, in the context of whoever registers it, for as long as the scope is open. While it
   * runs, `Deadline.remaining` tells what time it has. Its failure is reported, and ends no one else.
   */
  readonly phase: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    options?: PhaseOptions
  ) => Effect.Effect<void, never, R | Scope.Scope>
  /** Holds a shutdown in its phase `work` until the scope closes. */
  readonly holdOpen: (label: string) => Effect.Effect<void, never, Scope.Scope>
  /** Asks for the end, as a signal does. Returns at once. */
  readonly request: (reason: string) => Effect.Effect<void>
  /** Has the service not be ready while an effect runs: for what it must do before it can serve. */
  readonly startUp: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Whether load balancers should send work: neither starting nor stopping. */
  readonly isReady: Effect.Effect<boolean>
  readonly state: Effect.Effect<ShutdownState>
  /** Waits until the end is asked for. */
  readonly awaitRequested: Effect.Effect<Reason>
  /** Waits until all phases are over. */
  readonly awaitDrained: Effect.Effect<ShutdownReport>
  /** What has happened so far. */
  readonly report: Effect.Effect<ShutdownReport>
}>()("@fiberscope/core/GracefulShutdown") {
  /**
   * The service without a process: nobody listens to signals, and nobody ends. For tests, and for programs inside of programs.
   *
   * **Gotchas**
   *
   * `runMain` provides the service already; a layer inside of it is another one, which hears no signals.
   *
   * @since 0.1.0
   */
  static layer(options?: GracefulShutdownOptions): Layer.Layer<GracefulShutdown> {
    return Layer.effect(GracefulShutdown, make(options))
  }

  /**
   * @since 0.1.0
   */
  static layerConfig(
    config: Config.Wrap<GracefulShutdownOptions>
  ): Layer.Layer<GracefulShutdown, Config.ConfigError> {
    return Layer.effect(GracefulShutdown, Effect.flatMap(Config.unwrap(config), make))
  }
}

/**
 * Makes the service in a scope. When the scope closes, a shutdown that is under way is given up.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: GracefulShutdownOptions
): Effect.Effect<GracefulShutdown["Service"], never, Scope.Scope> =>
  Effect.map(makeControl(options), ({ service }) => service)

/**
 * Builds a layer, says that the service is ready, and stays until it is interrupted: `Layer.launch` with a beginning.
 *
 * **Example**
 *
 * ```ts no-run it ends the process
 * import { runMain } from "@fiberscope/core/RunMain"
 * import * as GracefulShutdown from "@fiberscope/core/GracefulShutdown"
 * import { Effect, Layer } from "effect"
 *
 * const Service = Layer.effectDiscard(Effect.log("up"))
 *
 * runMain(GracefulShutdown.launch(Service))
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const launch = <A, E, R>(layer: Layer.Layer<A, E, R>): Effect.Effect<never, E, R | GracefulShutdown> =>
  Effect.scoped(
    Effect.flatMap(GracefulShutdown, (shutdown) => Effect.andThen(shutdown.startUp(Layer.build(layer)), Effect.never))
  )

/**
 * {@link GracefulShutdown} `phase` where a program has the service, and nothing where it has not: for libraries.
 *
 * **Gotchas**
 *
 * The scope's finalizers run as well, and later: what the effect does must be possible twice.
 *
 * @since 0.1.0
 * @category combinators
 */
export const takePart = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options?: PhaseOptions
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(GracefulShutdown),
    (shutdown): Effect.Effect<void, never, R | Scope.Scope> =>
      Option.isNone(shutdown) ? Effect.void : shutdown.value.phase(name, effect, options)
  )

/**
 * Has a layer be closed in a phase of the shutdown, and not only when the program's scopes close: for servers, which must have answered
 * before that which their handlers use is closed.
 *
 * **Details**
 *
 * In a program without {@link GracefulShutdown} the layer is as it was. The default order is `intake`: a request that was accepted may
 * still need tasks, batches and connections.
 *
 * **Gotchas**
 *
 * A finalizer cannot be interrupted. When the layer has not closed in its time, the next phase begins all the same, and the closing goes
 * on beside it: give the server a limit of its own that is shorter, such as `gracefulShutdownTimeout` of `NodeHttpServer`. Layers that
 * are built inside of this one and nowhere else before are closed with it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const inPhase: {
  (
    name: string,
    options?: PhaseOptions
  ): <A, E, R>(self: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>
  <A, E, R>(self: Layer.Layer<A, E, R>, name: string, options?: PhaseOptions): Layer.Layer<A, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <A, E, R>(self: Layer.Layer<A, E, R>, name: string, options?: PhaseOptions): Layer.Layer<A, E, R> => {
    const frame = calledFrom(`inPhase ${name}`)
    const build = Effect.gen(function*() {
      const inner = Scope.makeUnsafe()
      let closing: Fiber.Fiber<void> | undefined
      // Whoever comes second waits for the first: a scope that is being closed counts as closed.
      const close = Effect.withFiber<void>((fiber) => {
        closing ??= Effect.runForkWith(fiber.context)(Scope.close(inner, Exit.void))
        return Effect.asVoid(Fiber.await(closing))
      })
      yield* Effect.addFinalizer(() => close)
      const context = yield* Effect.contextWith((outer: Context.Context<R>) =>
        Layer.buildWithMemoMap(self, Layer.CurrentMemoMap.forkOrCreate(outer), inner)
      )
      yield* takePart(name, close, { order: "intake", ...options })
      return context
    })
    return Layer.effectContext(Effect.updateService(build, CurrentStackFrame, frame))
  }
)
