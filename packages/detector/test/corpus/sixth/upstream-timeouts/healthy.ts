/*
 * Quotes come from a service that is slow at times. Whoever has waited for a quarter of a second gives up; half
 * of the callers do so with an AbortController of their own, the others with Effect.timeout.
 *
 * Healthy: timers are cleared, what is given up is aborted, and the service notices.
 */
import { Effect, Schema } from "effect"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

class FetchError extends Schema.TaggedError<FetchError>()("FetchError", { cause: Schema.Defect() }) {}

const server = createServer((request, response) => {
  const slow = Math.random() < 0.08
  const answer = () =>
    response.end(JSON.stringify({ url: request.url, prices: Array.from({ length: 50 }, () => Math.random()) }))
  const timer = setTimeout(answer, slow ? 1000 : jitter(40))
  response.on("close", () => clearTimeout(timer))
})

const agent = new Agent({ keepAlive: true, maxSockets: 8 })

const get = (url: string, signal: AbortSignal) =>
  new Promise<string>((resolve, reject) => {
    send(url, { agent, signal }, (response) => {
      let text = ""
      response.on("data", (chunk) => text += chunk).on("end", () => resolve(text)).on("error", reject)
    }).on("error", reject).end()
  })

const withController = async (url: string) => {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), 250)
  try {
    return await get(url, controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

const quote = Effect.fn("Quotes.quote")(function*(base: string, n: number) {
  const url = `${base}/quote/${n}`
  if (n % 2 === 0) {
    return yield* Effect.tryPromise({ try: () => withController(url), catch: (cause) => new FetchError({ cause }) })
  }
  return yield* Effect.tryPromise({
    try: (signal) => get(url, signal),
    catch: (cause) => new FetchError({ cause })
  }).pipe(Effect.timeout("250 millis"))
}, Effect.orElseSucceed(() => "no quote"))

Effect.runFork(Effect.gen(function*() {
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const { port } = server.address() as AddressInfo
  for (let n = 0;; n++) {
    yield* Effect.forkChild(quote(`http://127.0.0.1:${port}`, n))
    yield* Effect.sleep(jitter(38))
  }
}))
