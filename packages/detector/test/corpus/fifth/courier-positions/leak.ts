// The phones of couriers keep a TCP connection open and send their positions; each is pinged so that the network does
// not cut it. Phones lose their connection now and then, and come back.
//
// Goes wrong: the pings are kept by connection. Coming back starts a new one, and the old one pings on.
import { Effect, FiberMap, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import * as net from "node:net"
import { jitter } from "../../support/life.ts"

interface Courier {
  readonly name: string
  readonly connection: string
  position: string
}

const main = Effect.gen(function*() {
  const pings = yield* FiberMap.make<string>()
  const run = yield* FiberMap.runtime(pings)()
  const couriers = new Map<string, Courier>()

  const ping = (courier: Courier, socket: net.Socket) =>
    Effect.sync(() => socket.destroyed || socket.write(`ping ${courier.name} at ${courier.position}\n`)).pipe(
      Effect.repeat(Schedule.spaced("800 millis"))
    )

  const arrived = (name: string, socket: net.Socket) => {
    const courier: Courier = { name, connection: randomUUID(), position: "depot" }
    couriers.set(name, courier)
    run(courier.connection, ping(courier, socket))
    return courier
  }

  const server = net.createServer((socket) => {
    let courier: Courier | undefined
    socket.setEncoding("utf8")
    socket.on("data", (text: unknown) => {
      for (const line of String(text).trim().split("\n")) {
        if (line.startsWith("hello ")) courier = arrived(line.slice(6), socket)
        else if (courier !== undefined) courier.position = line
      }
    })
    socket.on("error", () => {})
  })
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const { port } = server.address() as net.AddressInfo

  const phone = (name: string) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.write(`hello ${name}\n`)
    const drive = setInterval(() => socket.write(`${Math.random()},${Math.random()}\n`), 200)
    setTimeout(() => socket.destroy(), jitter(12_000))
    socket.on("data", () => {})
    socket.on("error", () => {})
    socket.on("close", () => {
      clearInterval(drive)
      setTimeout(phone, 100, name)
    })
  }
  for (let n = 0; n < 12; n++) phone(`courier ${n}`)
  return yield* Effect.never
})

Effect.runFork(Effect.scoped(main))
