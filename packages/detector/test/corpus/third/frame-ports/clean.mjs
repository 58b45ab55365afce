/**
 * Frames are measured in a worker thread. Each job has a channel of its own for the answer.
 * It is closed once the answer is there.
 */
import { Effect } from "effect"
import { MessageChannel, Worker } from "node:worker_threads"
import { jitter } from "../../support/life.ts"

const worker = new Worker(new URL("worker.mjs", import.meta.url), { execArgv: [] })

const brightness = (frame) =>
  Effect.promise(() =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.on("message", (value) => {
        frame.brightness = value
        port1.close()
        resolve(value)
      })
      worker.postMessage({ pixels: frame.pixels, port: port2 }, [port2])
    })
  )

let id = 0
const camera = () => {
  id++
  const frame = { id, pixels: Array.from({ length: 220 }, () => Math.random()), tags: [`camera ${id % 4}`] }
  const work = id % 7 === 0 ? brightness(frame) : Effect.delay(Effect.succeed(frame.pixels[0]), 4)
  Effect.runPromise(Effect.map(work, (value) => value > 0.5))
  setTimeout(camera, jitter(10))
}

camera()
