/**
 * Stops a service in order: it stops being ready, gives load balancers time to notice, stops accepting work, finishes the
 * accepted work, flushes its buffers, and closes its resources. One deadline limits all of it.
 *
 * **When to use**
 *
 * Use {@link GracefulShutdown} `phase` for an effect that must run before scopes close and before its dependencies are closed;
 * `holdOpen` around work that must be finished; {@link inPhase} around the layer of a server. Run the program with `runMain` of
 * {@link "RunMain"}, which provides this service, listens to signals, and ends the process in time.
 *
 * **Details**
 *
 * A shutdown is requested by a signal or by `request`, and must end within `deadline` from then on. First `isReady` becomes
 * false, then the service continues to serve for `preStopDelay`, then the phases run: `intake`, `work`, `flush`, `resources`. The
 * effects of one phase run concurrently. Each one has its own timeout or the remaining time, less a tenth of the deadline for
 * each phase that follows and for the closing of scopes at the end. An effect that does not end in time is interrupted and
 * reported, and the next phase begins.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentStackFrame } from "effect/References"
import * as Scope from "effect/Scope"
import { calledFrom } from "./internal/fibers/calledFrom.ts"
import { makeControl } from "./internal/shutdown/control.ts"
import type { GracefulShutdownOptions, PhaseOptions, ShutdownService } from "./internal/shutdown/model.ts"

export type {
  GracefulShutdownOptions,
  HeldOpen,
  Order,
  ParticipantReport,
  PhaseOptions,
  Reason,
  ShutdownReport,
  ShutdownService,
  ShutdownState
} from "./internal/shutdown/model.ts"

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
 * @category services
 */
export class GracefulShutdown extends Context.Service<GracefulShutdown, ShutdownService>()(
  "@fiberscope/core/GracefulShutdown"
) {
  /**
   * Provides the service without a process: it installs no signal handlers and exits no process. For tests, and for programs
   * inside of programs.
   *
   * **Gotchas**
   *
   * `runMain` provides the service already; this layer inside of it is a separate instance that receives no signals.
   */
  static layer(options?: GracefulShutdownOptions): Layer.Layer<GracefulShutdown> {
    return Layer.effect(GracefulShutdown, make(options))
  }

  static layerConfig(
    config: Config.Wrap<GracefulShutdownOptions>
  ): Layer.Layer<GracefulShutdown, Config.ConfigError> {
    return Layer.effect(GracefulShutdown, Effect.flatMap(Config.unwrap(config), make))
  }
}

/**
 * Makes the service in a scope. When the scope closes, a shutdown in progress is interrupted.
 *
 * @category constructors
 */
export const make = (
  options?: GracefulShutdownOptions
): Effect.Effect<GracefulShutdown["Service"], never, Scope.Scope> =>
  Effect.map(makeControl(options), ({ service }) => service)

/**
 * Builds a layer, marks the service as ready, and waits until it is interrupted: `Layer.launch` with a start-up phase.
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
 * @category running
 */
export const launch = <A, E, R>(layer: Layer.Layer<A, E, R>): Effect.Effect<never, E, R | GracefulShutdown> =>
  Effect.scoped(
    Effect.flatMap(GracefulShutdown, (shutdown) => Effect.andThen(shutdown.startUp(Layer.build(layer)), Effect.never))
  )

/**
 * Registers a phase, like {@link GracefulShutdown} `phase`, if the program has the service, and does nothing otherwise: for
 * libraries.
 *
 * **Gotchas**
 *
 * The finalizers of the scope run as well, later: the effect must be safe to run twice.
 *
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
 * Closes a layer in a phase of the shutdown instead of at the end of the program. Use it for servers: they must answer their
 * requests before the dependencies of their handlers are closed.
 *
 * **Details**
 *
 * In a program without {@link GracefulShutdown} the layer is unchanged. The default order is `intake`: an accepted request may
 * still need tasks, batches and connections.
 *
 * **Gotchas**
 *
 * A finalizer cannot be interrupted. If the layer has not closed in time, the next phase begins while the closing continues: give
 * the server a shorter limit of its own, such as `gracefulShutdownTimeout` of `NodeHttpServer`. Layers that are built inside of
 * this one, and nowhere else before, are closed with it.
 *
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
      // A second call waits for the first: a scope counts as closed as soon as its closing begins.
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
