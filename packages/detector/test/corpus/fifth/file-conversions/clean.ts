/*
 * A REST service that converts files: POST starts a conversion and answers with its number, GET asks whether it is
 * ready and fetches the result.
 *
 * A conversion leaves the table of jobs when its result is fetched.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Fiber, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

interface Page {
  readonly number: number
  readonly words: ReadonlyArray<string>
}

const jobs = new Map<string, Fiber.Fiber<ReadonlyArray<Page>>>()
let serial = 0

const convert = (job: string) =>
  Effect.gen(function*() {
    const pages: Array<Page> = []
    for (let number = 1; number <= 4; number++) {
      yield* Effect.sleep(10)
      pages.push({ number, words: Array.from({ length: 25 }, (_, n) => `word ${n} of ${job}/${number}`) })
    }
    return pages
  })

const start = Effect.gen(function*() {
  const job = `${++serial}`
  jobs.set(job, yield* Effect.forkDetach(convert(job)))
  return HttpServerResponse.text(job)
})

const fetch = Effect.gen(function*() {
  const { job = "" } = yield* HttpRouter.params
  const fiber = jobs.get(job)
  if (fiber === undefined) return HttpServerResponse.empty({ status: 404 })
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return HttpServerResponse.empty({ status: 204 })
  jobs.delete(job)
  return Exit.isSuccess(exit) ? HttpServerResponse.jsonUnsafe(exit.value) : HttpServerResponse.empty({ status: 500 })
})

const routes = HttpRouter.addAll([
  HttpRouter.route("POST", "/conversions", start),
  HttpRouter.route("GET", "/conversions/:job", fetch)
])

const server = createServer()
const app = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
)

const agent = new Agent({ keepAlive: true, maxSockets: 4 })
const call = (method: string, path: string, then: (status: number | undefined, text: string) => void) => {
  const { port } = server.address() as AddressInfo
  send({ agent, host: "127.0.0.1", port, method, path }, (response) => {
    let text = ""
    response.setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => then(response.statusCode, text))
  }).end()
}

const ask = (job: string) => call("GET", `/conversions/${job}`, (status) => status === 204 && setTimeout(ask, 40, job))
const customer = () => {
  call("POST", "/conversions", (_, job) => ask(job))
  setTimeout(customer, jitter(60))
}

server.on("listening", customer)
Effect.runFork(Layer.launch(app))
