/*
 * A line protocol over TCP: one question, one answer.
 *
 * What leak.mjs does wrong is put right here: the client closes its connection, and the server its end with it.
 */
import { Effect } from "effect"
import { connect, createServer } from "node:net"
import "../../support/life.ts"

const server = createServer((socket) => {
  socket.setEncoding("latin1")
  socket.on("data", (line) => socket.write(`${line.trim().length}\n`))
  socket.on("error", () => {})
})

const openConnection = (port) =>
  Effect.callback((resume) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => resume(Effect.succeed(socket)))
    socket.setEncoding("latin1")
    socket.transcript = []
  })

const question = (socket, text) =>
  Effect.callback((resume) => {
    socket.once("data", (answer) => {
      socket.transcript.push({ text, answer, words: text.split(" "), at: new Date() })
      resume(Effect.succeed(Number(answer)))
    })
    socket.write(`${text}\n`)
  })

const ask = (port, text) =>
  Effect.acquireUseRelease(
    openConnection(port),
    (socket) => question(socket, text),
    (socket) => Effect.sync(() => socket.end())
  )

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address()
  let n = 0
  setInterval(() => Effect.runFork(ask(port, `what is the length of this, number ${++n}? ${"?".repeat(n % 50)}`)), 90)
})
