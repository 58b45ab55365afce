/*
 * A daemon sends the end of its log to whoever connects, and waits when a reader cannot keep up.
 *
 * It waits for "drain" or "close", whatever comes first.
 */
import { Effect } from "effect"
import * as net from "node:net"
import { jitter } from "../../support/life.ts"

const lines = Buffer.from("2024-05-05T12:00:00Z INFO everything is fine, still, and as it was before\n".repeat(4000))

const drained = (socket: net.Socket) =>
  Effect.callback<void>((resume) => {
    socket.once("drain", () => resume(Effect.void))
    socket.once("close", () => resume(Effect.void))
  })

const tail = Effect.fn("tail")(function*(socket: net.Socket, size: number) {
  let sent = 0
  while (sent < size && !socket.destroyed) {
    if (!socket.write(lines)) yield* drained(socket)
    sent += lines.length
  }
  socket.end()
  return sent
})

const grep = Effect.fn("grep")(function*(word: string) {
  yield* Effect.sleep("2 millis")
  return lines.subarray(0, 4000).toString().split("\n").filter((line) => line.includes(word)).length
})

const server = net.createServer((socket) => {
  socket.on("error", () => {})
  socket.resume()
  Effect.runFork(tail(socket, 64 * lines.length))
})

const reader = (port: number) => {
  const socket = net.connect(port, "127.0.0.1")
  socket.on("error", () => {})
  let seen = 0
  socket.on("data", (chunk) => {
    seen += chunk.length
    if (seen > 2 * lines.length) socket.pause()
  })
  setTimeout(() => socket.destroy(), 250)
  setTimeout(reader, jitter(180), port)
}

const search = () => {
  Effect.runFork(grep("fine"))
  setTimeout(search, jitter(12))
}

server.listen(0, "127.0.0.1", () => {
  reader((server.address() as net.AddressInfo).port)
  search()
})
