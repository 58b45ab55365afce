/**
 * Calls to a slow partner over HTTP, each of which is given up when the application shuts down.
 * Leak: each call adds a listener to the one signal of the application and never takes it off again.
 */
import { Effect } from "effect"
import { setMaxListeners } from "node:events"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

const application = new AbortController()
setMaxListeners(0, application.signal)

const partner = http.createServer((_, response) => {
  setTimeout(() => response.end(JSON.stringify({ ok: true })), jitter(8))
})

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })

const callPartner = (port: number, body: string) =>
  Effect.tryPromise(() =>
    new Promise<string>((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port, method: "POST", agent }, (response) => {
        let answer = ""
        response.on("data", (chunk) => answer += String(chunk)).on("end", () => {
          resolve(answer)
        })
      })
      const giveUp = () => request.destroy()
      application.signal.addEventListener("abort", giveUp)
      request.on("error", reject)
      request.end(body)
    })
  )

const order = (port: number, id: number) =>
  Effect.gen(function*() {
    const body = JSON.stringify({ id, lines: Array.from({ length: 30 }, (_, n) => ({ n, price: Math.random() })) })
    const answer = yield* callPartner(port, body)
    return answer.length
  }).pipe(Effect.withSpan("order"))

const program = (port: number) =>
  Effect.gen(function*() {
    for (let id = 1;; id++) {
      yield* Effect.forkChild(order(port, id))
      yield* Effect.sleep(jitter(25))
    }
  })

partner.listen(0, "127.0.0.1", () => {
  Effect.runFork(program((partner.address() as AddressInfo).port))
})
