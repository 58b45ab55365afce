/**
 * An HTTP API that takes orders and confirms them by mail, later. The fibers that send mail are known to the process, so
 * that it can wait for them before it stops.
 *
 * The leak: a fiber is forgotten when its mail was sent, but not when that failed.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, type Fiber, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Http from "node:http"
import { jitter } from "../../support/life.ts"

class Order extends Schema.Class<Order>("Order")({
  customer: Schema.String,
  articles: Schema.Array(Schema.Struct({ sku: Schema.String, pieces: Schema.Int }))
}) {}

class MailRejected extends Schema.TaggedError<MailRejected>()("MailRejected", { to: Schema.String }) {}

const sending = new Set<Fiber.Fiber<number, MailRejected>>()

const confirm = Effect.fn("confirm")(function*(order: Order) {
  yield* Effect.sleep(jitter(60))
  if (order.customer.endsWith("@nowhere.example")) return yield* new MailRejected({ to: order.customer })
  return order.articles.length
})

const placeOrder = Effect.gen(function*() {
  const order = yield* HttpServerRequest.schemaBodyJson(Order)
  const fiber = yield* Effect.forkDetach(confirm(order))
  sending.add(fiber)
  fiber.addObserver((exit) => {
    if (exit._tag === "Success") sending.delete(fiber)
  })
  return HttpServerResponse.jsonUnsafe({ articles: order.articles.length })
}).pipe(Effect.catchTag("SchemaError", () => Effect.succeed(HttpServerResponse.empty({ status: 400 }))))

const Routes = Layer.mergeAll(
  HttpRouter.add("POST", "/orders", placeOrder),
  HttpRouter.add("GET", "/health", Effect.sync(() => HttpServerResponse.text(`${sending.size} mails`)))
)

const agent = new Http.Agent({ keepAlive: true, maxSockets: 4 })

const call = (port: number, n: number) => {
  const headers = { "content-type": "application/json" }
  const request = Http.request(
    {
      host: "127.0.0.1",
      port,
      agent,
      ...(n % 3 === 0 ? { path: "/health" } : { method: "POST", path: "/orders", headers })
    },
    (response) => response.resume()
  )
  if (n % 3 === 0) {
    request.end()
    return
  }
  const customer = n % 5 === 0 ? `${n}@nowhere.example` : `${n}@home.example`
  request.end(JSON.stringify({
    customer,
    articles: Array.from({ length: 36 }, (_, i) => ({ sku: `${n}-${i}`, pieces: i + 1 }))
  }))
}

const Customers = Layer.effectDiscard(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  if (address._tag !== "InetAddressV4") return
  let n = 0
  setInterval(() => call(address.port, ++n), 12)
}))

const Main = Layer.mergeAll(HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }), Customers).pipe(
  Layer.provide(NodeHttpServer.layer(Http.createServer, { host: "127.0.0.1", port: 0 }))
)

Effect.runFork(Layer.launch(Main))
