/**
 * A relay that accepts events over HTTP and delivers each of them to a customer's endpoint.
 * Leak: an endpoint that is gone for good is tried again for ever, one more fiber for each event sent to it.
 */
import { Data, Effect, Schedule } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

class DeliveryFailed extends Data.TaggedError("DeliveryFailed")<{ readonly status: number }> {}

interface WebhookEvent {
  readonly endpoint: "alive" | "gone"
  readonly body: string
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
let port = 0

const post = (path: string, body: string) =>
  Effect.callback<number, DeliveryFailed>((resume) => {
    const request = http.request({ port, path, method: "POST", agent, host: "127.0.0.1" }, (response) => {
      response.resume().on("end", () => resume(Effect.succeed(response.statusCode ?? 500)))
    })
    request.on("error", () => resume(Effect.fail(new DeliveryFailed({ status: 0 }))))
    request.end(body)
  })

const deliver = Effect.fn("deliver")(
  function*(event: WebhookEvent) {
    const status = yield* post(`/customer/${event.endpoint}`, event.body)
    if (status >= 400) return yield* new DeliveryFailed({ status })
  },
  Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("3 seconds")])),
  (delivery) => Effect.ignore(delivery)
)

const accept = Effect.fn("accept")(function*(body: string) {
  const { endpoint } = JSON.parse(body) as { readonly endpoint: "alive" | "gone" }
  yield* Effect.forkDetach(deliver({ endpoint, body }))
})

const server = http.createServer((request, response) => {
  let body = ""
  request.setEncoding("utf8").on("data", (text: string) => body += text).on("end", () => {
    if (request.url === "/events") {
      Effect.runFork(accept(body))
      response.writeHead(202).end()
    } else {
      response.writeHead(request.url === "/customer/gone" ? 410 : 204).end()
    }
  })
})

const someEvent = () =>
  JSON.stringify({
    endpoint: Math.random() < 0.08 ? "gone" : "alive",
    items: Array.from({ length: 40 }, Math.random)
  })

const traffic = Effect.gen(function*() {
  while (true) {
    yield* post("/events", someEvent())
    yield* Effect.sleep(jitter(12))
  }
})

server.listen(0, "127.0.0.1", () => {
  port = (server.address() as AddressInfo).port
  Effect.runFork(traffic)
})
