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
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { GracefulShutdown } from "./GracefulShutdown.ts"
import { makeControl } from "./internal/shutdown/control.ts"
import type { RunMainOptions } from "./internal/shutdown/model.ts"
import { ProcessEnd } from "./internal/shutdown/ProcessEnd.ts"

export type { StuckFiber } from "./internal/fibers/stuckFibers.ts"
export type { WaitingPlace } from "./internal/fibers/waitingPlaces.ts"
export type { EndReport, RunMainOptions } from "./internal/shutdown/model.ts"

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
