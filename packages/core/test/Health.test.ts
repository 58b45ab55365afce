import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as GracefulShutdown from "../src/GracefulShutdown.ts"
import * as Health from "../src/Health.ts"

/** Sends a request to a service with these routes, without a server. */
const asked = <A>(
  use: (
    ask: (path: string) => Effect.Effect<Response>,
    shutdown: GracefulShutdown.GracefulShutdown["Service"]
  ) => Effect.Effect<A>,
  routes: Layer.Layer<never, never, HttpRouter.HttpRouter | GracefulShutdown.GracefulShutdown> = Health.routes
) =>
  Effect.gen(function*() {
    const shutdown = yield* GracefulShutdown.make({ preStopDelay: 0 })
    const { handler } = yield* Effect.acquireRelease(
      Effect.sync(() =>
        HttpRouter.toWebHandler(
          Layer.provide(routes, Layer.succeed(GracefulShutdown.GracefulShutdown, shutdown)),
          { disableLogger: true }
        )
      ),
      ({ dispose }) => Effect.promise(dispose)
    )
    return yield* use(
      (path) => Effect.promise(() => handler(new Request(`http://localhost${path}`))),
      shutdown
    )
  }).pipe(Effect.scoped)

// it.live: web handlers return promises.
describe("Health", () => {
  it.live("is alive all the time, and ready between its start-up and its shutdown", () =>
    asked((ask, shutdown) =>
      Effect.gen(function*() {
        const both = Effect.gen(function*() {
          const live = yield* ask("/livez")
          const ready = yield* ask("/readyz")
          return [live.status, ready.status, yield* Effect.promise(() => ready.json())]
        })
        assert.deepStrictEqual(yield* shutdown.startUp(both), [200, 503, { status: "starting", ready: false }])
        assert.deepStrictEqual(yield* both, [200, 200, { status: "running", ready: true }])
        yield* shutdown.holdOpen("a film")
        yield* shutdown.request("test")
        yield* Effect.yieldNow
        assert.deepStrictEqual(yield* both, [200, 503, { status: "draining", ready: false }])
      }).pipe(Effect.scoped)
    ))

  it.live("is not cached", () =>
    asked((ask) =>
      Effect.map(ask("/readyz"), ({ headers }) => assert.strictEqual(headers.get("cache-control"), "no-store"))
    ))

  it.live("has configurable paths", () =>
    asked(
      (ask) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* ask("/health/live")).status, 200)
          assert.strictEqual((yield* ask("/health/ready")).status, 200)
          assert.strictEqual((yield* ask("/readyz")).status, 404)
        }),
      Health.layer({ livePath: "/health/live", readyPath: "/health/ready" })
    ))

  it.live("sends `connection: close` in every response after the shutdown request", () => {
    const routes = Layer.mergeAll(
      HttpRouter.add("GET", "/ok", HttpServerResponse.text("ok")),
      HttpRouter.add("GET", "/die", Effect.die("boom")),
      Health.routes,
      Health.closeConnections
    )
    return asked((ask, shutdown) =>
      Effect.gen(function*() {
        const paths = ["/ok", "/die", "/nowhere", "/readyz"]
        const answers = Effect.forEach(paths, (path) =>
          Effect.map(ask(path), ({ headers, status }) => [status, headers.get("connection")]))
        assert.deepStrictEqual(yield* answers, [[200, null], [500, null], [404, null], [200, null]])
        yield* shutdown.request("test")
        assert.deepStrictEqual(yield* answers, [[200, "close"], [500, "close"], [404, "close"], [503, "close"]])
      }), routes)
  })
})
