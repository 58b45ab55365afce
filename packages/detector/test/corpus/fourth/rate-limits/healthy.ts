/**
 * An HTTP API that limits the rate of each client. A limit is kept while its client is about, and 7 % of the run longer.
 *
 * Healthy: the traffic comes in waves, and there are as many limits, with a fiber each, as there were clients lately.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, RcMap, Schedule, Semaphore } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Http from "node:http"
import { elapsed, part } from "../../support/life.ts"

const makeLimit = (client: string) =>
  Effect.acquireRelease(
    Effect.map(Semaphore.make(2), (inFlight) => ({ client, inFlight, log: new Array<number>(200).fill(0) })),
    ({ log }) => Effect.sync(() => log.length = 0)
  )

const Routes = HttpRouter.use(Effect.fn(function*(router) {
  const limits = yield* RcMap.make({ lookup: makeLimit, idleTimeToLive: part(0.07) })

  const answer = Effect.fn("answer")(function*(request: HttpServerRequest.HttpServerRequest) {
    const { inFlight, log } = yield* RcMap.get(limits, request.url)
    log.push(performance.now())
    log.shift()
    return yield* inFlight.withPermits(1)(Effect.delay(Effect.succeed(HttpServerResponse.text("ok")), "5 millis"))
  }, Effect.scoped)

  yield* router.add("GET", "/*", answer)
}))

const agent = new Http.Agent({ keepAlive: true, maxSockets: 4 })

const Clients = Layer.effectDiscard(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  if (address._tag !== "InetAddressV4") return
  let n = 0
  const call = Effect.sync(() => {
    const wave = 0.5 - 0.5 * Math.cos((2 * Math.PI * elapsed()) / 0.3)
    if (Math.random() > 0.25 + 0.75 * wave) return
    const client = Math.random() < 0.5 ? ++n : Math.floor(Math.random() * 10)
    Http.get(
      { host: "127.0.0.1", port: address.port, path: `/client/${client}`, agent },
      (response) => response.resume()
    )
  })
  yield* Effect.forkScoped(Effect.repeat(call, Schedule.spaced("25 millis")))
}))

const Main = Layer.mergeAll(HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }), Clients).pipe(
  Layer.provide(NodeHttpServer.layer(Http.createServer, { host: "127.0.0.1", port: 0 }))
)

Effect.runFork(Layer.launch(Main))
