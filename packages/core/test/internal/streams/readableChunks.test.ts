import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { once } from "node:events"
import { createReadStream } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer, get } from "node:http"
import type { IncomingMessage, RequestListener, Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { ManagedStream } from "../../../src/ManagedStream.ts"
import { heard } from "../../support/heard.ts"

const withStreams = Effect.provide(ManagedStream.layer())

describe("ManagedStream.fromReadable", () => {
  const folder = Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "streams-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const file = Effect.tap(
    Effect.map(folder, (path) => join(path, "file")),
    (path) => Effect.promise(() => writeFile(path, "0123456789".repeat(20_000)))
  )
  const text = <E>(stream: Stream.Stream<Uint8Array, E>) => Stream.mkString(Stream.decodeText(stream))

  // Files do not use virtual time, here and in the tests below.
  it.live("reads a file, and has closed it when the stream ends", () =>
    Effect.gen(function*() {
      const streams = yield* ManagedStream
      const path = yield* file
      const opened: Array<Readable> = []
      const open = () => {
        const readable = createReadStream(path)
        opened.push(readable)
        return readable
      }
      const chunks = streams.fromReadable("file", open)
      assert.lengthOf(yield* text(chunks), 200_000)
      assert.lengthOf(yield* text(Stream.take(chunks, 1)), 65_536)
      yield* Effect.flip(Stream.runForEach(chunks, () => Effect.fail("no")))
      assert.deepStrictEqual(
        opened.map((
          readable
        ) => [readable.closed, readable.listenerCount("readable"), readable.listenerCount("error")]),
        [[true, 0, 0], [true, 0, 0], [true, 0, 0]]
      )
      assert.deepStrictEqual(yield* streams.live, [])
    }).pipe(Effect.scoped, withStreams))

  it.live("fails with the error of the readable, also before the first pull", () =>
    Effect.gen(function*() {
      const streams = yield* ManagedStream
      const missing = createReadStream("/does/not/exist")
      const pull = yield* Stream.toPull(streams.fromReadable("file", () => missing))
      yield* waitUntil(() => missing.closed)
      assert.match(String(yield* Effect.flip(pull)), /^StreamFailed: The stream "file" failed: ENOENT/)
      const cut = streams.fromReadable("cut", () => {
        const readable = new Readable({ read: () => {} })
        readable.push("half")
        setImmediate(() => readable.destroy())
        return readable
      })
      assert.match(String(yield* Effect.flip(text(cut))), /Premature close$/)
    }).pipe(Effect.scoped, withStreams))

  it.live("reads objects, and streams that close without an event", () =>
    Effect.gen(function*() {
      const streams = yield* ManagedStream
      const numbers = streams.fromReadable<number>("numbers", () => Readable.from([1, 2, 3, 4]))
      assert.deepStrictEqual(yield* Stream.runCollect(numbers), [1, 2, 3, 4])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(numbers, 2)), [1, 2])
      const silent = streams.fromReadable("silent", () =>
        new Readable({
          emitClose: false,
          read() {
            this.push("chunk")
          }
        }))
      assert.lengthOf(yield* Stream.runCollect(Stream.take(silent, 3)), 3)
      assert.deepStrictEqual(yield* streams.live, [])
    }).pipe(withStreams))

  it.live("names a readable that does not close, and reports one whose closing fails", () =>
    heard(({ lines, reports }) =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        const destroying = (destroy: (error: Error | null, callback: (error?: Error | null) => void) => void) => () =>
          new Readable({
            read() {
              this.push("chunk")
            },
            destroy
          })
        const hangs = streams.fromReadable("hangs", destroying(() => {}), { returnTimeout: 30 })
        assert.lengthOf(yield* Stream.runCollect(Stream.take(hangs, 1)), 1)
        assert.match(lines[0]!, /^The stream "hangs" did not end within \d+ms and was abandoned: its clean-up/)
        const fails = streams.fromReadable("fails", destroying((_, callback) => callback(new Error("EIO"))))
        assert.lengthOf(yield* Stream.runCollect(Stream.take(fails, 1)), 1)
        assert.strictEqual(reports[1], "EIO")
        assert.deepStrictEqual((yield* streams.live).map(({ label, status }) => [label, status]), [[
          "hangs",
          "stuck"
        ]])
      }).pipe(withStreams)
    ))

  const server = (listener: RequestListener) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.callback<Server>((resume) => {
          const made = createServer(listener).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) =>
          Effect.callback<void>((resume) => {
            made.close(() => resume(Effect.void))
            made.closeAllConnections()
          })
      ),
      (made) => `http://127.0.0.1:${(made.address() as AddressInfo).port}`
    )

  const response = (url: string) =>
    Effect.promise(async () => {
      const [message] = await once(get(url), "response")
      return message as IncomingMessage
    })

  it.live("reads a response, and ends the request when the reader stops in the middle", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        let closed = 0
        const url = yield* server((request, answer) => {
          answer.on("close", () => closed++)
          if (request.url === "/all") answer.end("x".repeat(500_000))
          else answer.write("first")
        })
        const all = yield* response(`${url}/all`)
        assert.lengthOf(yield* text(streams.fromReadable("all", () => all)), 500_000)
        const some = yield* response(`${url}/some`)
        assert.strictEqual(yield* text(Stream.take(streams.fromReadable("some", () => some), 1)), "first")
        const hanging = yield* response(`${url}/some`)
        const reader = yield* Effect.forkChild(Stream.runDrain(streams.fromReadable("hanging", () => hanging)))
        yield* waitUntil(() => Effect.runSync(streams.live)[0]?.items === 1)
        yield* Fiber.interrupt(reader)
        yield* waitUntil(() => closed === 3)
        assert.deepStrictEqual([lines, yield* streams.live], [[], []])
      }).pipe(Effect.scoped, withStreams)
    ))

  it.live("fails when the server disconnects in the middle", () =>
    Effect.gen(function*() {
      const streams = yield* ManagedStream
      const url = yield* server((_, answer) => {
        answer.write("first", () => answer.destroy())
      })
      const message = yield* response(url)
      const error = yield* Effect.flip(text(streams.fromReadable("cut", () => message)))
      assert.match(error.message, /^The stream "cut" failed: aborted$/)
    }).pipe(Effect.scoped, withStreams))

  it.live("aborts a fetch inside of a generator that waits for its next chunk", () =>
    heard(({ lines }) =>
      Effect.gen(function*() {
        const streams = yield* ManagedStream
        let closed = 0
        const url = yield* server((_, answer) => {
          answer.on("close", () => closed++)
          answer.write("first")
        })
        const body = streams.fromGenerator("body", async function*(signal) {
          const answer = await fetch(url, { signal })
          if (answer.body !== null) yield* answer.body
        })
        const reader = yield* Effect.forkChild(Stream.runDrain(body))
        yield* waitUntil(() => Effect.runSync(streams.live)[0]?.items === 1)
        yield* Fiber.interrupt(reader)
        yield* waitUntil(() => closed === 1)
        assert.deepStrictEqual([lines, yield* streams.live], [[], []])
      }).pipe(Effect.scoped, withStreams)
    ))
})

/** Waits in real time, for events in another process or in the kernel. */
const waitUntil = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(Effect.sleep(1), waitUntil(holds)))
