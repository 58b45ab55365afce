// Images in buffers, 320 MB of them from the start. Four times a second a preview of one is made, of 64 KB.
// Leak: previews are never dropped.
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

const images = Array.from({ length: 320 }, (_, n) => Buffer.alloc(1024 * 1024, n))
const previews = new Map()

const preview = (n) => {
  previews.set(n, Buffer.from(images[n % 320].subarray(0, 65_536)))
}

let n = 0
Effect.runFork(Effect.sync(() => preview(++n)).pipe(Effect.repeat(Schedule.spaced("250 millis"))))
