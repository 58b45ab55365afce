import { parentPort } from "node:worker_threads"

parentPort.on("message", ({ pixels, port }) => {
  let sum = 0
  for (const pixel of pixels) sum += pixel
  port.postMessage(sum / pixels.length)
})
