/**
 * HTTP probes for load balancers and orchestrators: whether the service is alive, and whether it is ready for work.
 *
 * **Details**
 *
 * `/livez` answers 200 as long as the process can answer at all, also during a shutdown: a process that stops in order must not
 * be killed. `/readyz` answers 200 while the service is ready and 503 while it starts or stops, according to
 * {@link "GracefulShutdown"}. Both return the state as JSON, are not cached, and are not logged.
 */
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { ShutdownState } from "./GracefulShutdown.ts"
import { GracefulShutdown } from "./GracefulShutdown.ts"

/**
 * The paths of the probes.
 *
 * @category models
 */
export interface HealthOptions {
  /** Default `/livez`. */
  readonly livePath?: HttpRouter.PathInput | undefined
  /** Default `/readyz`. */
  readonly readyPath?: HttpRouter.PathInput | undefined
}

/**
 * Both routes, at configurable paths.
 *
 * @category layers
 */
export const layer = (
  options?: HealthOptions
): Layer.Layer<never, never, HttpRouter.HttpRouter | GracefulShutdown> =>
  Layer.unwrap(Effect.map(GracefulShutdown, ({ state }) =>
    Layer.merge(
      HttpRouter.add("GET", options?.livePath ?? "/livez", asked(state, () => true)),
      HttpRouter.add("GET", options?.readyPath ?? "/readyz", asked(state, ({ isReady }) => isReady))
    )))

/**
 * `GET /livez` and `GET /readyz`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { GracefulShutdown } from "@fiberscope/core/GracefulShutdown"
 * import * as Health from "@fiberscope/core/Health"
 *
 * const program = Effect.gen(function*() {
 *   const shutdown = yield* GracefulShutdown
 *   const { dispose, handler } = HttpRouter.toWebHandler(Health.routes.pipe(
 *     Layer.provide(Layer.succeed(GracefulShutdown, shutdown))
 *   ), { disableLogger: true })
 *   const ask = (path: string) => Effect.promise(() => handler(new Request(`http://localhost${path}`)))
 *   console.log((yield* ask("/readyz")).status) // 200
 *   yield* shutdown.request("the example is over")
 *   console.log((yield* ask("/readyz")).status) // 503
 *   console.log((yield* ask("/livez")).status) // 200
 *   yield* Effect.promise(dispose)
 * })
 *
 * Effect.runFork(Effect.provide(program, GracefulShutdown.layer()))
 * ```
 *
 * @category layers
 */
export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter | GracefulShutdown> = layer()

/**
 * Adds `Connection: close` to every response once a shutdown was requested. Otherwise clients with persistent connections get no
 * sign that they should reconnect elsewhere.
 *
 * **When to use**
 *
 * Use it with every HTTP/1.1 server. A Node server that is being closed continues to serve connections in use: one client with
 * frequent requests can delay the closing until its timeout.
 *
 * **Details**
 *
 * It begins with the shutdown request, so that with a `preStopDelay` most connections are closed before the server closes.
 *
 * @category layers
 */
export const closeConnections: Layer.Layer<never, never, HttpRouter.HttpRouter | GracefulShutdown> = Layer.unwrap(
  Effect.map(GracefulShutdown, ({ state }) =>
    HttpRouter.middleware(
      (handler) =>
        HttpEffect.withPreResponseHandler(handler, (_request, response) =>
          Effect.map(state, ({ reason }) =>
            reason === undefined ? response : HttpServerResponse.setHeader(response, "connection", "close"))),
      { global: true }
    ))
)

const asked = (state: Effect.Effect<ShutdownState>, healthy: (state: ShutdownState) => boolean) =>
  HttpMiddleware.withLoggerDisabled(Effect.map(state, (now) =>
    HttpServerResponse.jsonUnsafe(
      // Only these fields are public: the probe has no authentication.
      { status: now.status, ready: now.isReady },
      { status: healthy(now) ? 200 : 503, headers: { "cache-control": "no-store" } }
    )))
