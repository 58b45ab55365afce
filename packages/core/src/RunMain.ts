/**
 * Runs the main effect of a process, and ends the process: in order if possible, always in time, and never silently.
 *
 * **When to use**
 *
 * Use {@link runMain} instead of `NodeRuntime.runMain` for services. It needs only Node.
 *
 * **Details**
 *
 * `SIGTERM`, `SIGINT`, `SIGHUP`, `GracefulShutdown.request`, an uncaught exception and a failing main effect all take the same
 * path. First the phases of {@link "GracefulShutdown"} run. Then the main fiber is interrupted and its finalizers run, then
 * detached fibers are interrupted, and then the process exits. At the deadline, or at a second signal, it exits immediately and
 * reports on stderr which fibers, finalizers and handles it did not wait for.
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
 * Handlers are installed before the effect starts, so that a signal during start-up is handled. When the effect succeeds on its
 * own, the process ends when nothing keeps it alive, as without this function; detached fibers continue.
 *
 * **Gotchas**
 *
 * A blocked event loop sees no signal and no deadline: only `watchdog` does. No process can handle `SIGKILL`: keep the deadline
 * below the time that the sender allows (30 seconds in Kubernetes, including the pre-stop hook; 90 in systemd; 10 in Docker).
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
