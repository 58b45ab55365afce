/*
 * A telephone exchange records calls: the sound arrives over TCP, and is put together when the caller hangs up.
 *
 * When a line breaks, the sound of the call is discarded.
 */
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { createHash } from "node:crypto"
import * as net from "node:net"
import { jitter } from "../../support/life.ts"

class Recorder extends Context.Service<Recorder, {
  readonly begin: () => number
  readonly sound: (call: number, chunk: Buffer) => void
  readonly finish: (call: number) => Effect.Effect<string>
  readonly discard: (call: number) => void
}>()("exchange/Recorder") {
  static readonly layer = Layer.sync(Recorder, () => {
    const calls = new Map<number, Array<Buffer>>()
    let serial = 0
    return {
      begin: () => {
        calls.set(++serial, [])
        return serial
      },
      sound: (call, chunk) => void calls.get(call)?.push(Buffer.from(chunk)),
      finish: Effect.fn("Recorder.finish")(function*(call: number) {
        const recording = Buffer.concat(calls.get(call) ?? [])
        calls.delete(call)
        yield* Effect.sleep("10 millis")
        return createHash("sha256").update(recording).digest("hex")
      }),
      discard: (call) => void calls.delete(call)
    }
  })
}

const runtime = ManagedRuntime.make(Recorder.layer)

const exchange = net.createServer(async (socket) => {
  socket.on("error", () => {})
  const recorder = await runtime.runPromise(Recorder)
  const call = recorder.begin()
  socket.on("data", (chunk: Buffer) => recorder.sound(call, chunk))
  socket.on("close", (broken) => broken && recorder.discard(call))
  socket.on("end", () => {
    runtime.runFork(recorder.finish(call))
    socket.end()
  })
})

const telephone = (port: number) => {
  const socket = net.connect(port, "127.0.0.1")
  const talk = setInterval(() => socket.write(Buffer.alloc(2000, Date.now() % 256)), 60)
  socket.on("error", () => {})
  socket.on("close", () => clearInterval(talk))
  setTimeout(() => {
    clearInterval(talk)
    if (Math.random() < 0.25) socket.resetAndDestroy()
    else socket.end()
  }, jitter(500))
  setTimeout(telephone, jitter(100), port)
}

exchange.listen(0, "127.0.0.1", () => telephone((exchange.address() as net.AddressInfo).port))
