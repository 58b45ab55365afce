/*
 * Uploads are collected into one Buffer, hashed and acknowledged.
 *
 * What is wrong: the handler keeps the bytes next to the hash, for a preview that was never built.
 */
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { createHash } from "node:crypto"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

class Uploads extends Context.Service<Uploads, {
  readonly receive: (name: string, chunks: ReadonlyArray<Buffer>) => Effect.Effect<string>
}>()("Uploads") {
  static readonly layer = Layer.sync(Uploads, () => {
    const index = new Map<string, { readonly hash: string; readonly bytes: Buffer }>()
    return {
      receive: Effect.fn("Uploads.receive")(function*(name: string, chunks: ReadonlyArray<Buffer>) {
        const bytes = Buffer.concat(chunks)
        const hash = createHash("sha1").update(bytes).digest("hex")
        index.set(name, { hash, bytes })
        yield* Effect.sleep("5 millis")
        return hash
      })
    }
  })
}

const runtime = ManagedRuntime.make(Uploads.layer)

const receive = (name: string, chunks: ReadonlyArray<Buffer>) =>
  runtime.runPromise(Effect.flatMap(Uploads, (uploads) => uploads.receive(name, chunks)))

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", async () => response.end(await receive(request.url ?? "", chunks)))
})

const agent = new Agent({ keepAlive: true, maxSockets: 3 })
let uploads = 0

function upload(port: number) {
  const picture = Buffer.alloc(12 * 1024, ++uploads % 256)
  send({ host: "127.0.0.1", port, agent, method: "PUT", path: `/pictures/${uploads}` }, (response) => response.resume())
    .end(picture)
  setTimeout(upload, jitter(45), port)
}

server.listen(0, "127.0.0.1", () => upload((server.address() as AddressInfo).port))
