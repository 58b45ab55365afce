/**
 * An HTTP service that quotes prices, with a cache in front of a costly calculation.
 * Leak: the key of the cache is the whole URL, and every client adds the time of its request to it.
 */
import { Effect } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

interface Quote {
  readonly product: string
  readonly tiers: ReadonlyArray<{ readonly from: number; readonly price: number }>
}

const quotes = new Map<string, Quote>()

const calculate = (product: string): Effect.Effect<Quote> =>
  Effect.delay(
    Effect.sync(() => ({
      product,
      tiers: Array.from({ length: 25 }, (_, n) => ({ from: n * 10, price: 100 / (n + Math.random()) }))
    })),
    jitter(5)
  )

const quote = (url: string) =>
  Effect.suspend(() => {
    const known = quotes.get(url)
    if (known !== undefined) return Effect.succeed(known)
    const product = new URL(url, "http://localhost").searchParams.get("product") ?? "none"
    return Effect.tap(calculate(product), (fresh) => Effect.sync(() => quotes.set(url, fresh)))
  })

const server = http.createServer((request, response) => {
  Effect.runPromise(quote(request.url ?? "/")).then((answer) => {
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(answer))
  })
})

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })

const client = (port: number) => {
  const path = `/quote?product=p${Math.floor(Math.random() * 40)}&at=${performance.now()}`
  http.get({ host: "127.0.0.1", port, path, agent }, (response) => response.resume())
  setTimeout(client, jitter(12), port)
}

server.listen(0, "127.0.0.1", () => client((server.address() as AddressInfo).port))
