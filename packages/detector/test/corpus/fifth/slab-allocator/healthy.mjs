// video frames live in slabs of 128 KB off the heap, which are used again and again
// healthy: cameras are added until 45 % of the run, up to 24, and with each come three slabs; none is made after that
import { Effect, Queue } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const free = []
const provide = (slabs) => {
  for (let n = 0; n < slabs; n++) free.push(new SharedArrayBuffer(128 * 1024))
}
const take = () => free.pop() ?? new SharedArrayBuffer(128 * 1024)
const release = (slab) => free.push(slab)

const encode = (frames) =>
  Effect.gen(function*() {
    while (true) {
      const { camera, slab } = yield* Queue.take(frames)
      const pixels = new Uint8Array(slab, 0, 2048)
      let light = camera
      for (const pixel of pixels) light = (light + pixel) % 251
      yield* Effect.sleep(jitter(80))
      release(slab)
    }
  })

const camera = (number) =>
  Effect.gen(function*() {
    const frames = yield* Queue.bounded(1)
    provide(3)
    yield* Effect.forkChild(encode(frames))
    while (true) {
      const slab = take()
      new Uint8Array(slab).fill(number, 0, 2048)
      yield* Queue.offer(frames, { camera: number, slab })
      yield* Effect.sleep(jitter(120))
    }
  })

const main = Effect.gen(function*() {
  for (let cameras = 0; cameras < 24; cameras++) {
    while (elapsed() < 0.45 * (cameras / 24)) yield* Effect.sleep(50)
    yield* Effect.forkChild(camera(cameras))
  }
  return yield* Effect.never
})

Effect.runFork(main)
