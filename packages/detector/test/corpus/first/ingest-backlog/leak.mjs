// Measurements arrive over HTTP and are put into a queue; one consumer writes them away.
// Leak: the consumer needs longer for each than the time until the next one arrives, and the queue has no bound.
import { Effect, Queue } from "effect"
import * as http from "node:http"
import { jitter } from "../../support/life.ts"

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })

const parse = (body) => {
  const message = JSON.parse(body)
  return {
    ...message,
    received: performance.now(),
    samples: message.samples.map((value) => ({ value, valid: value < 0.9 }))
  }
}

const consume = (queue) =>
  Effect.gen(function*() {
    let written = 0
    while (true) {
      const message = yield* Queue.take(queue)
      yield* Effect.sleep(jitter(24))
      written += message.samples.length
    }
  })

const program = Effect.gen(function*() {
  const queue = yield* Queue.unbounded()

  const server = http.createServer((request, response) => {
    let body = ""
    request.on("data", (part) => body += part).on("end", () => {
      Queue.offerUnsafe(queue, parse(body))
      response.writeHead(202).end()
    })
  })

  const send = () => {
    const body = JSON.stringify({
      device: Math.floor(Math.random() * 50),
      samples: Array.from({ length: 30 }, Math.random)
    })
    const { port } = server.address()
    http.request({ port, host: "127.0.0.1", method: "POST", agent }, (response) => response.resume()).end(body)
    setTimeout(send, jitter(11))
  }

  server.listen(0, "127.0.0.1", send)
  yield* consume(queue)
})

Effect.runFork(program)
