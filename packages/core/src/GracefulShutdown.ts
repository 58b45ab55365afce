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
   * The service without a process: nobody listens to signals, and nobody ends. For tests, and for programs inside of programs.
   *
   * **Gotchas**
   *
   * `runMain` provides the service already; a layer inside of it is another one, which hears no signals.
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
 * Makes the service in a scope. When the scope closes, a shutdown that is under way is given up.
 *
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
