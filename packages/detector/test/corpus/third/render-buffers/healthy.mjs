// Labels are drawn into buffers from a free list. More are drawn at a time as more customers wake up, until a good
// third of the day is over; from then on the free list serves everybody.
// Healthy: a buffer is only ever made when all others are in use, and those in use are bounded by the traffic.
import { Effect } from "effect"
import { createServer, get } from "node:http"
import { elapsed, jitter } from "../../support/life.ts"

const free = []
let made = 0

const borrow = () => free.pop() ?? (made++, Buffer.alloc(128 * 1024, "#"))

const label = (text) =>
  Effect.acquireUseRelease(
    Effect.sync(borrow),
    (buffer) =>
      Effect.sleep(600).pipe(Effect.map(() => {
        buffer.write(text)
        return buffer.toString("latin1", 0, 300)
      })),
    (buffer) => Effect.sync(() => free.push(buffer))
  )

const server = createServer(async (request, response) => {
  response.end(await Effect.runPromise(label(request.url)))
})

const ask = (port) => {
  get({ port, path: `/label/${made}` }, (response) => response.resume())
  const perSecond = 10 + 85 * Math.min(1, elapsed() / 0.37)
  setTimeout(ask, jitter(1000 / perSecond), port)
}

server.listen(0, "127.0.0.1", () => ask(server.address().port))
