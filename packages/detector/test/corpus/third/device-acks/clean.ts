/**
 * Devices keep a TCP connection to a gateway, which sends each of them commands and waits for acknowledgements.
 *
 * The waiting fibers belong to the connection, and are interrupted with it.
 */
import { Context, Effect, Exit, FiberSet, Layer, Scope } from "effect"
import { EventEmitter } from "node:events"
import * as net from "node:net"
import { jitter } from "../../support/life.ts"

interface Command {
  readonly id: number
  readonly firmware: ReadonlyArray<string>
}

class Gateway extends Context.Service<Gateway, {
  readonly port: number
}>()("devices/Gateway") {
  static readonly layer = Layer.effect(
    Gateway,
    Effect.gen(function*() {
      let commands = 0

      const acknowledged = Effect.fn("Gateway.acknowledged")(function*(lines: EventEmitter, command: Command) {
        yield* Effect.callback<void>((resume) => {
          const listener = () => resume(Effect.void)
          lines.once(`ack ${command.id}`, listener)
          return Effect.sync(() => lines.off(`ack ${command.id}`, listener))
        })
        return command.firmware.length
      })

      const server = net.createServer((socket) => {
        const lines = new EventEmitter()
        const connection = Scope.makeUnsafe()
        const run = Effect.runSync(Scope.provide(FiberSet.makeRuntime(), connection))
        const timer = setInterval(() => {
          const command = { id: ++commands, firmware: Array.from({ length: 60 }, (_, n) => `${commands}/${n}`) }
          socket.write(`${command.id}\n`)
          run(acknowledged(lines, command))
        }, 50)
        socket.setEncoding("utf8")
        socket.on("data", (text: unknown) => {
          for (const id of String(text).trim().split("\n")) lines.emit(`ack ${id}`)
        })
        socket.on("error", () => {})
        socket.on("close", () => {
          clearInterval(timer)
          Effect.runFork(Scope.close(connection, Exit.void))
        })
      })
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      return { port: (server.address() as net.AddressInfo).port }
    })
  )
}

const device = (port: number, life: number) =>
  Effect.callback<void>((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("data", (text) => void setTimeout(() => socket.destroyed || socket.write(text), 20))
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.void))
    setTimeout(() => socket.destroy(), life)
  })

const main = Effect.gen(function*() {
  const { port } = yield* Gateway
  yield* Effect.forEach(
    Array.from({ length: 5 }),
    () => Effect.forever(Effect.suspend(() => device(port, jitter(400)))),
    { concurrency: "unbounded" }
  )
})

Effect.runFork(main.pipe(Effect.provide(Gateway.layer)))
