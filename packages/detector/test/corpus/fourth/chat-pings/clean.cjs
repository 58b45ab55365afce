// A chat over TCP. The server pings each connection from time to time.
// The twin of leak.cjs: what is cleared when a connection closes is its latest timer.
const { Effect } = require("effect")
const net = require("node:net")
const { jitter } = require("../../support/life.ts")

const rooms = new Map(Array.from({ length: 20 }, (_, n) => [`room-${n}`, []]))

const say = (room, text) =>
  Effect.gen(function*() {
    const lines = rooms.get(room) ?? []
    lines.push(text)
    if (lines.length > 30) lines.shift()
    yield* Effect.sleep(2)
    return lines.length
  })

const server = net.createServer((socket) => {
  const state = { typed: Array.from({ length: 600 }, () => Math.random()), pings: 0 }
  const ping = () => {
    state.pings++
    if (socket.writable) socket.write(`ping ${state.pings} ${state.typed.length}\n`)
    timer = setTimeout(ping, 250)
  }
  let timer = setTimeout(ping, 250)
  socket.on("data", (data) => {
    for (const line of data.toString().trim().split("\n")) Effect.runFork(say(line.slice(0, 7).trim(), line))
  })
  socket.on("error", () => socket.destroy())
  socket.on("close", () => clearTimeout(timer))
})

function member(port, n) {
  const socket = net.connect(port, "127.0.0.1")
  const typing = setInterval(() => socket.write(`room-${n % 20} hello from ${n}\n`), 50)
  socket.on("data", () => {})
  socket.on("error", () => socket.destroy())
  socket.on("close", () => clearInterval(typing))
  setTimeout(() => socket.destroy(), jitter(600))
  setTimeout(member, jitter(110), port, n + 1)
}

server.listen(0, "127.0.0.1", () => member(server.address().port, 1))
