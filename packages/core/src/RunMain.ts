/**
 * Runs the main effect of a process, and ends the process: in order when it can, in time whatever happens, and never without a word.
 *
 * **When to use**
 *
 * Use {@link runMain} in place of `NodeRuntime.runMain` for services. It needs nothing but Node.
 *
 * **Details**
 *
 * `SIGTERM`, `SIGINT`, `SIGHUP`, `GracefulShutdown.request`, an uncaught exception and a main effect that fails all take the same way:
 * what {@link "GracefulShutdown"} describes, then the main fiber is interrupted and its finalizers run, then detached fibers are, and
 * then the process exits. At the deadline, or at a second signal, it exits at once, and says on stderr which fibers, finalizers and
 * handles it did not wait for.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { FiberSite } from "./FiberSite.ts"
import type { GracefulShutdownOptions, ShutdownReport } from "./GracefulShutdown.ts"
import { GracefulShutdown } from "./GracefulShutdown.ts"
import { ProcessEnd } from "./internal/ProcessEnd.ts"
import { makeControl } from "./internal/shutdownControl.ts"

/**
 * A line of the program's source: that of the `yield*` at which a fiber `waits`, or else that of the function with which it goes on.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitingPlace {
  readonly waits: boolean
  readonly file: string
  readonly line: number
  readonly column: number
}

/**
 * A fiber that was alive when the process exited. `site` is where it was forked, `runs` what it runs now, and `place` the line, as far
 * as each is known.
 *
 * @since 0.1.0
 * @category models
 */
export interface StuckFiber {
  readonly id: number
  readonly main: boolean
  readonly site: FiberSite
  readonly runs: FiberSite
  readonly place: WaitingPlace | undefined
  readonly ageMs: number
  readonly interruptible: boolean
  readonly interrupting: boolean
}

/**
 * How the process ended. `forced` says why it did not wait any longer; `blockedAt` is the JavaScript stack of a blocked event loop.
 *
 * @since 0.1.0
 * @category models
 */
export interface EndReport extends ShutdownReport {
  readonly exitCode: number
  readonly forced: "deadline" | "secondSignal" | "secondFault" | "blocked" | undefined
  readonly stuck: ReadonlyArray<StuckFiber>
  readonly handles: ReadonlyArray<string>
  readonly blockedAt: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RunMainOptions extends GracefulShutdownOptions {
  /** Default `SIGTERM`, `SIGINT` and `SIGHUP`. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /**
   * The exit code after a signal: 128 and its number (default), 0 where a service manager takes anything else for a failure, or the
   * death by that signal, which tells a shell to stop too. As process 1, whom signals do not kill, `reraise` gives 128 and the number.
   * Whatever failed on the way is 1, and an end that was forced is never 0.
   */
  readonly exitCode?: "signal" | "zero" | "reraise" | undefined
  /**
   * What one more signal does: it ends the process at once (default), nothing, or it leaves so much time. Signals within 300 ms of the
   * first are taken for the same one: terminals and package managers deliver it twice.
   */
  readonly secondSignal?: "force" | "ignore" | { readonly shortenTo: Duration.Input } | undefined
  /** Whether an uncaught exception or rejection stops the service in order (default) or is left to Node. */
  readonly faults?: "stop" | "ignore" | undefined
  /** The deadline of a shutdown after a fault. Default 5 seconds. */
  readonly faultDeadline?: Duration.Input | undefined
  /**
   * Starts a thread that ends the process shortly after the deadline even when the event loop is blocked, and says where it is. Default
   * false: it takes about 10 MB. The service is not ready before the thread is.
   */
  readonly watchdog?: boolean | undefined
  /**
   * Tells systemd, where it listens (`Type=notify` with `NotifyAccess=all`), that the service is ready, when its `launch` or `startUp` is
   * through; that it stops; and how long it needs, should that be longer than `TimeoutStopSec`. Default false: it runs
   * `systemd-notify`.
   */
  readonly systemd?: boolean | undefined
  /** Called with the report just before the process exits. It must return at once. */
  readonly onEnd?: ((report: EndReport) => void) | undefined
  /** Where lines about the shutdown go. Default stderr. */
  readonly print?: ((text: string) => void) | undefined
  /** As in `NodeRuntime.runMain`. */
  readonly disableErrorReporting?: boolean | undefined
  /** As in `NodeRuntime.runMain`: decides the exit code of a program that ends by itself. */
  readonly teardown?: Runtime.Teardown | undefined
}

/**
 * Runs an effect as the main program of the process, with {@link GracefulShutdown} as a service.
 *
 * **Details**
 *
 * Handlers are installed before the effect starts, so that a signal during start-up finds them. When the effect ends by itself with
 * success, the process ends when nothing keeps it alive, as without this function; detached fibers go on.
 *
 * **Gotchas**
 *
 * A blocked event loop hears no signal and sees no deadline: only `watchdog` does. Nobody can answer `SIGKILL`: keep the deadline
 * below the patience of whoever sends it (30 seconds in Kubernetes, the pre-stop hook included; 90 in systemd; 10 in Docker).
 *
 * **Example**
 *
 * ```ts no-run it ends the process
 * import * as GracefulShutdown from "@fiberscope/core/GracefulShutdown"
 * import * as Health from "@fiberscope/core/Health"
 * import { runMain } from "@fiberscope/core/RunMain"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { createServer } from "node:http"
 *
 * const Routes = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
 *
 * const Server = HttpRouter.serve(Layer.mergeAll(Routes, Health.routes, Health.closeConnections)).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000, gracefulShutdownTimeout: "10 seconds" })),
 *   GracefulShutdown.inPhase("http")
 * )
 *
 * runMain(GracefulShutdown.launch(Server), { deadline: "25 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const runMain: {
  (options?: RunMainOptions): <A, E>(effect: Effect.Effect<A, E, GracefulShutdown>) => void
  <A, E>(effect: Effect.Effect<A, E, GracefulShutdown>, options?: RunMainOptions): void
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E>(effect: Effect.Effect<A, E, GracefulShutdown>, options: RunMainOptions = {}): void => {
    const control = Effect.runSync(Scope.provide(makeControl(options), Scope.makeUnsafe()))
    const end = new ProcessEnd(control, options)
    end.install()
    const run = Runtime.makeRunMain(({ fiber, teardown }) => end.attach(fiber, teardown))
    run(Effect.provideService(effect, GracefulShutdown, control.service), {
      disableErrorReporting: options.disableErrorReporting,
      teardown: options.teardown
    })
  }
)
