// lines of a feed are put together in one long string; at 90 KB it is compressed and a new one is begun
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { jitter } from "../../support/life.ts"

const compress = promisify(gzip)

let feed = ""
const last = { digest: "", bytes: Buffer.alloc(0) }

const flush = Effect.gen(function*() {
  const text = feed
  feed = ""
  const bytes = yield* Effect.promise(() => compress(text))
  last.digest = createHash("sha256").update(text).digest("hex")
  last.bytes = bytes
})

const item = (n) => {
  let line = `<item id="${n}">`
  for (let k = 0; k < 6; k++) line += `<field${k}>${(n * (k + 1)).toString(36)} ${Math.random()}</field${k}>`
  return line + "</item>\n"
}

const publish = (n) =>
  Effect.gen(function*() {
    yield* Effect.sleep(jitter(3))
    feed += item(n)
    if (feed.length > 90_000) yield* flush
  })

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* publish(n)
    yield* Effect.sleep(jitter(4))
  }
}))
