/**
 * A product page with a cache of all products. During the first 40 % of the run new products are still being visited
 * for the first time; after that all 500 are known. Healthy: the catalogue is finite.
 */
import { Effect } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { elapsed, jitter } from "../../support/life.ts"

interface Product {
  readonly id: number
  readonly texts: ReadonlyArray<string>
  readonly prices: ReadonlyArray<number>
}

const catalogue = 500
const known = new Map<number, Product>()

const loadProduct = Effect.fn("loadProduct")(function*(id: number) {
  yield* Effect.sleep(jitter(4))
  const product: Product = {
    id,
    texts: ["en", "de", "fr", "it"].map((language) => `${language}: product ${id} ${"fine ".repeat(30)}`.trimEnd()),
    prices: Array.from({ length: 365 }, (_, day) => id + day / 7)
  }
  return product
})

const findProduct = Effect.fn("findProduct")(function*(id: number) {
  const cached = known.get(id)
  if (cached !== undefined) return cached
  const product = yield* loadProduct(id)
  known.set(id, product)
  return product
})

const server = http.createServer((request, response) => {
  const id = Number(request.url?.slice("/product/".length))
  Effect.runPromise(findProduct(id)).then((product) => response.end(JSON.stringify(product)))
})

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })

const visit = (port: number) => {
  const published = Math.max(1, Math.ceil(Math.min(elapsed() / 0.4, 1) * catalogue))
  const id = Math.random() < 0.6 ? published : Math.ceil(Math.random() * published)
  http.get({ host: "127.0.0.1", port, path: `/product/${id}`, agent }, (response) => response.resume())
  setTimeout(visit, jitter(12), port)
}

server.listen(0, "127.0.0.1", () => visit((server.address() as AddressInfo).port))
