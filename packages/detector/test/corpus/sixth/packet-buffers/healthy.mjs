// sensors send packets over UDP; buffers for them come from a pool and go back to it; bursts need more of them
// healthy: the pool keeps 24 buffers at most, and each sensor has a ring of 2048 numbers
import { Effect } from "effect"
import { createSocket } from "node:dgram"
import { jitter } from "../../support/life.ts"

const pool = []
const take = () => pool.pop() ?? Buffer.allocUnsafeSlow(16_384)
const giveBack = (buffer) => {
  if (pool.length < 24) pool.push(buffer)
}

const rings = Array.from({ length: 16 }, () => ({ values: new Float64Array(2048), at: 0 }))
const smooth = new Float64Array(16)

const server = createSocket("udp4")
const client = createSocket("udp4")

server.on("message", (packet) => {
  const sensor = packet.readUInt8(0)
  const ring = rings[sensor]
  for (let offset = 8; offset + 8 <= packet.length; offset += 8) {
    const value = packet.readDoubleLE(offset)
    ring.values[ring.at++ % 2048] = value
    smooth[sensor] = smooth[sensor] * 0.95 + value * 0.05
  }
})

const send = (sensor) =>
  Effect.acquireUseRelease(
    Effect.sync(take),
    (buffer) =>
      Effect.callback((resume) => {
        const length = 8 + 8 * (20 + Math.floor(Math.random() * 60))
        buffer.writeUInt8(sensor, 0)
        for (let offset = 8; offset < length; offset += 8) buffer.writeDoubleLE(Math.random() * 100, offset)
        client.send(buffer, 0, length, server.address().port, "127.0.0.1", () => resume(Effect.void))
      }).pipe(Effect.andThen(Effect.sleep(jitter(10)))),
    (buffer) => Effect.sync(() => giveBack(buffer))
  )

Effect.runFork(Effect.gen(function*() {
  yield* Effect.callback((resume) => void server.bind(0, "127.0.0.1", () => resume(Effect.void)))
  for (let n = 0;; n++) {
    yield* Effect.forkChild(send(n % 16))
    if (n % 150 === 0) {
      for (let burst = 0; burst < 40; burst++) yield* Effect.forkChild(send(burst % 16))
    }
    yield* Effect.sleep(jitter(15))
  }
}))
