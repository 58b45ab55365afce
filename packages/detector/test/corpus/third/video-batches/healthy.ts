// Clips come in parts, over HTTP. A clip is put together when its last part is there, which takes a long while for
// those who have a slow line: two clips of a kind at the same time, each takes from a few per cent of the run to a third of it.
//
// It is all right: what has been put together is hashed and forgotten, and a clip has 60 parts at most.
import { Effect, ManagedRuntime } from "effect"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { jitter, part } from "../../support/life.ts"

class Clips extends Context.Service<Clips, {
  readonly add: (clip: string, last: boolean, bytes: Buffer) => Effect.Effect<string>
}>()("Clips") {
  static readonly layer = Layer.sync(Clips, () => {
    const unfinished = new Map<string, Array<Buffer>>()
    return {
      add: (clip, last, bytes) =>
        Effect.sync(() => {
          const parts = unfinished.get(clip) ?? []
          unfinished.set(clip, parts)
          parts.push(bytes)
          if (!last) return "more"
          unfinished.delete(clip)
          return createHash("sha256").update(Buffer.concat(parts)).digest("hex")
        })
    }
  })
}

const runtime = ManagedRuntime.make(Clips.layer)

const server = http.createServer((request, response) => {
  const url = new URL(request.url!, "http://localhost")
  void buffer(request).then(async (bytes) => {
    const add = Clips.use((clips) => clips.add(url.pathname, url.searchParams.has("last"), bytes))
    response.end(await runtime.runPromise(add))
  })
})

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
const post = (path: string, bytes: Buffer) =>
  new Promise<void>((resolve) => {
    const port = (server.address() as AddressInfo).port
    http.request({ port, path, agent, method: "POST" }, (response) => response.resume().on("end", resolve)).end(bytes)
  })

async function upload(kind: string, parts: number, size: number, pause: number) {
  for (let clip = 0;; clip++) {
    for (let n = 1; n <= parts; n++) {
      await Promise.all([
        post(`/${kind}-${clip}${n === parts ? "?last" : ""}`, randomBytes(size)),
        new Promise((resolve) => setTimeout(resolve, jitter(pause)))
      ])
    }
  }
}

server.listen(0, "127.0.0.1", () => {
  void upload("telephone", 60, 150_000, part(0.3) / 60)
  void upload("telephone-b", 60, 60_000, part(0.22) / 60)
  void upload("camera", 30, 20_000, part(0.05) / 30)
  void upload("sketch", 5, 2_000, 12)
})
