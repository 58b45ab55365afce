/**
 * The measured service: two routes that read and write JSON with schemas. With the argument `layer` it watches itself with
 * `LeakDetector.layer`. It prints its port, and `/usage` answers the resources that the process has used so far.
 */
import { layer as serverLayer } from "@effect/platform-node/NodeHttpServer"
import { Effect, Fiber, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import process from "node:process"
import type { Usage } from "./load.ts"

const Item = Schema.Struct({ sku: Schema.String, amount: Schema.Number, cents: Schema.Number })

const Order = Schema.Struct({
  customer: Schema.Number,
  items: Schema.Array(Item),
  note: Schema.optionalKey(Schema.String)
})

const Receipt = Schema.Struct({ customer: Schema.Number, cents: Schema.Number, lines: Schema.Array(Schema.String) })

const receipt = HttpServerResponse.schemaJson(Receipt)

const price = Effect.fn("price")(function*({ customer, items }: typeof Order.Type) {
  const lines = items.map(({ amount, sku }) => `${amount} x ${sku}`)
  return yield* Effect.succeed({
    customer,
    lines,
    cents: items.reduce((sum, item) => sum + item.amount * item.cents, 0)
  })
})

/** A request that only computes. */
const quote = Effect.gen(function*() {
  return yield* receipt(yield* price(yield* HttpServerRequest.schemaBodyJson(Order)))
})

/** The same with a fiber that waits for a moment, as for a database. */
const order = Effect.gen(function*() {
  const ordered = yield* HttpServerRequest.schemaBodyJson(Order)
  const stored = yield* Effect.forkChild(Effect.sleep("1 millis"))
  const priced = yield* price(ordered)
  yield* Fiber.join(stored)
  return yield* receipt(priced)
})

const usage = Effect.sync(() => {
  const { system, user } = process.cpuUsage()
  const taken: Usage = { cpuMs: (system + user) / 1000, rss: process.memoryUsage.rss() }
  return HttpServerResponse.jsonUnsafe(taken)
})

const Routes = Layer.mergeAll(
  HttpRouter.add("POST", "/quotes", quote),
  HttpRouter.add("POST", "/orders", order),
  HttpRouter.add("GET", "/usage", usage)
)

const Address = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) => Effect.sync(() => process.stdout.write(`${new URL(address).port}\n`)))
)

const Service = Layer.mergeAll(
  HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }),
  Address
).pipe(Layer.provide(serverLayer(createServer, { host: "127.0.0.1", port: 0 })))

const watched = process.argv[2] === "layer"
  ? Layer.provide(Service, (await import("../../packages/detector/src/LeakDetector.ts")).LeakDetector.layer())
  : Service

Effect.runFork(Layer.launch(watched))
