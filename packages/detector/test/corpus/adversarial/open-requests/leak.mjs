// An HTTP server that notes its requests, to be able to say which are open, and keeps the last 400 lines of its log.
// Its client stays connected.
// Leak: a request that was answered is not taken out of the open ones.
import { Effect } from "effect"
import http from "node:http"
import "../../support/life.ts"

const open = new Set()
const lines = []

const handler = (request, response) => {
  open.add(request)
  lines.push(`${request.method} ${request.url} ${Date.now()}`)
  if (lines.length > 400) lines.shift()
  Effect.runFork(Effect.andThen(Effect.sleep(5), Effect.sync(() => response.end("ok"))))
}

const server = http.createServer(handler)

server.listen(0, () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  let n = 0
  setInterval(() =>
    http.get(
      { port: server.address().port, path: `/${++n}`, agent, headers: { cookie: "c".repeat(600) + n } },
      (response) => response.resume()
    ).on("error", () => {}), 15)
})
