/*
 * A shop takes orders over HTTP and buys the shipping label from a carrier, also over HTTP, once the order is accepted.
 *
 * The carrier does not answer for parcels to islands; after a second the shop gives up.
 */
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

const carrier = createServer((request, response) => {
  if (request.url?.endsWith("/island")) return
  setTimeout(() => response.end("label ".repeat(50)), 8)
})
carrier.listen(0, "127.0.0.1")

interface Parcel {
  readonly order: string
  readonly zone: string
  readonly items: ReadonlyArray<string>
}

class Labels extends Context.Service<Labels, {
  readonly buy: (parcel: Parcel) => Effect.Effect<string>
}>()("shop/Labels") {
  static readonly layer = Layer.effect(
    Labels,
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      return {
        buy: Effect.fn("Labels.buy")(function*(parcel: Parcel) {
          const { port } = carrier.address() as AddressInfo
          const url = `http://127.0.0.1:${port}/${parcel.order}/${parcel.zone}`
          const response = yield* client.get(url).pipe(Effect.timeout("1 second"))
          return `${parcel.items.length} items: ${yield* response.text}`
        }, Effect.orElseSucceed(() => "no label"))
      }
    })
  ).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
}

const placeOrder = Effect.fn("placeOrder")(function*() {
  const labels = yield* Labels
  const { order = "", zone = "" } = yield* HttpRouter.params
  const items = Array.from({ length: 30 }, (_, n) => `item ${n} of order ${order}`)
  if (zone !== "pickup") yield* Effect.forkDetach(labels.buy({ order, zone, items }))
  return HttpServerResponse.jsonUnsafe({ order, items: items.length }, { status: 202 })
})

const server = createServer()
const app = HttpRouter.serve(HttpRouter.add("POST", "/orders/:order/:zone", placeOrder), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provide(Labels.layer),
  Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
)

const agent = new Agent({ keepAlive: true, maxSockets: 4 })
const zones = ["city", "pickup", "country", "pickup", "pickup", "abroad", "pickup", "island", "pickup", "city"]
let orders = 0
const customer = () => {
  const path = `/orders/${++orders}/${zones[orders % zones.length]}`
  send(
    { agent, host: "127.0.0.1", port: (server.address() as AddressInfo).port, method: "POST", path },
    (response) => response.resume()
  ).end()
  setTimeout(customer, jitter(17))
}

server.on("listening", customer)
Effect.runFork(Layer.launch(app))
