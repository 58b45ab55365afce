/**
 * A session store behind HTTP: a session that was not used for 12 % of the run is swept away. Healthy: after that time
 * as many sessions go as come.
 */
import { Effect, Schedule } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { jitter, part } from "../../support/life.ts"

interface Session {
  readonly user: string
  readonly cart: Array<{ readonly article: string; readonly price: number }>
  usedAt: number
}

const sessions = new Map<string, Session>()

const openSession = (id: string): Session => {
  const session = { user: `user of ${id}`, cart: [], usedAt: 0 }
  sessions.set(id, session)
  return session
}

const article = (id: string, n: number) => ({ article: `article ${id} ${n}`, price: Math.random() })

const addToCart = (id: string) =>
  Effect.sync(() => {
    const session = sessions.get(id) ?? openSession(id)
    session.usedAt = performance.now()
    for (let n = 0; n < 8; n++) session.cart.push(article(id, n))
    return session.cart.length
  })

const sweep = Effect.sync(() => {
  const limit = performance.now() - part(0.12)
  for (const [id, session] of sessions) {
    if (session.usedAt < limit) sessions.delete(id)
  }
})

const server = http.createServer((request, response) => {
  Effect.runPromise(addToCart(request.url ?? "/")).then((size) => response.end(String(size)))
})

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })

const browse = (port: number, visitor: number) => {
  const id = Math.random() < 0.5 ? visitor : Math.max(0, visitor - Math.floor(Math.random() * 20))
  http.get({ host: "127.0.0.1", port, path: `/visitor-${id}`, agent }, (response) => response.resume())
  setTimeout(browse, jitter(12), port, visitor + 1)
}

Effect.runFork(Effect.repeat(sweep, Schedule.spaced("500 millis")))
server.listen(0, "127.0.0.1", () => browse((server.address() as AddressInfo).port, 1))
