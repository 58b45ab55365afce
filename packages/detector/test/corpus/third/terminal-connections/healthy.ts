// Tills of a supermarket chain. They connect in the morning, one shop after the other, and stay connected.
// Healthy: there are seventy tills, the last is there before 40 % of the run are over; a till that loses its connection
// comes back with a new one, and the old one is closed.
import { Effect, Stream } from "effect"
import { createConnection, createServer, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import { jitter, part } from "../../support/life.ts"

const connected = new Set<Socket>()

const serve = (socket: Socket) =>
  Stream.fromAsyncIterable(createInterface({ input: socket }), () => "lost" as const).pipe(
    Stream.mapEffect((line) => Effect.delay(Effect.succeed(line.toUpperCase()), 2)),
    Stream.runForEach((line) => Effect.sync(() => socket.writable && socket.write(`${line}\n`))),
    Effect.ignore,
    Effect.ensuring(Effect.sync(() => {
      socket.destroy()
      connected.delete(socket)
    }))
  )

const server = createServer((socket) => {
  connected.add(socket)
  socket.on("error", () => socket.destroy())
  Effect.runFork(serve(socket))
})

function till(shop: number, port: number) {
  const socket = createConnection(port, "127.0.0.1")
  const receipts: Array<string> = []
  const timer = setInterval(() => {
    socket.write(`shop ${shop} sells for ${Math.floor(Math.random() * 9000)}\n`)
    if (Math.random() < 0.005) socket.destroy()
  }, jitter(800))
  socket.on("data", (text) => {
    receipts.push(String(text))
    if (receipts.length > 5) receipts.shift()
  })
  socket.on("error", () => socket.destroy())
  socket.on("close", () => {
    clearInterval(timer)
    setTimeout(till, 200, shop, port)
  })
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  for (let n = 0; n < 70; n++) setTimeout(till, part(0.39) * (n / 70), n, port)
})
