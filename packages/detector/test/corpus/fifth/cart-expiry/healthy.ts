/*
 * Shopping carts over HTTP. A cart lives in memory, with a fiber that throws it away when nothing has happened to it for
 * an eighth of the run. More and more customers come during the first third.
 *
 * Why it is healthy: every cart is thrown away in the end, and no more come than go.
 */
import { Effect, FiberMap } from "effect"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { elapsed, jitter, part } from "../../support/life.ts"

class Carts {
  private readonly carts = new Map<string, Array<string>>()
  private readonly expiries: FiberMap.FiberMap<string>

  constructor(expiries: FiberMap.FiberMap<string>) {
    this.expiries = expiries
  }

  add(id: string, article: string) {
    const cart = this.carts.get(id) ?? Array.from({ length: 40 }, (_, n) => `recommendation ${n} for ${id}`)
    this.carts.set(id, cart)
    cart.push(article)
    const expire = Effect.sync(() => this.carts.delete(id))
    return FiberMap.run(this.expiries, id, Effect.delay(expire, part(0.125))).pipe(Effect.as(cart.length))
  }
}

const main = Effect.gen(function*() {
  const carts = new Carts(yield* FiberMap.make<string>())
  const server = createServer((request, response) => {
    const [, id = "", article = ""] = (request.url ?? "").split("/")
    void Effect.runPromise(carts.add(id, article)).then((size) => response.end(`${size}`))
  })
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const put = (id: string, article: number) =>
    send({ agent, host: "127.0.0.1", port, method: "PUT", path: `/${id}/${article}` }, (response) => response.resume())
      .end()

  for (let customer = 0;; customer++) {
    for (let article = 0; article < 3; article++) setTimeout(put, jitter(part(0.03)) * article, `c${customer}`, article)
    yield* Effect.sleep(part(0.125) / (10 + 60 * Math.min(elapsed() / 0.33, 1)))
  }
})

Effect.runFork(Effect.scoped(main))
