import { assert, describe, it } from "@effect/vitest"
import { makeGuard } from "@fiberscope/core/FiberCensus"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, room } from "../../src/agent/Channel.ts"
import type { Channel } from "../../src/agent/Channel.ts"
import type { Message, Request } from "../../src/agent/Protocol.ts"
import { alone, node } from "../support/Fiberscope.ts"

interface Peer {
  readonly channel: Channel
  /** Resolved when the channel reports that it is closed; `closings` counts the reports. */
  readonly closed: Promise<void>
  readonly closings: () => number
  readonly requests: ReadonlyArray<Request>
  readonly socket: Promise<net.Socket>
}

/** A channel and the peer at its other end. */
const withPeer = async (
  use: (peer: Peer) => Promise<void>,
  options?: { readonly deaf?: boolean; readonly patience?: number; readonly failures?: ReadonlyArray<string> }
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-channel-"))
  const path = join(folder, "agents.sock")
  const server = net.createServer({ pauseOnConnect: options?.deaf === true }).listen(path)
  await once(server, "listening")
  const socket = once(server, "connection").then(([accepted]: Array<unknown>) => accepted as net.Socket)
  const requests: Array<Request> = []
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let closings = 0
  const failures: Array<string> = []
  const guard = makeGuard((name, message) => failures.push(`${name}: ${message}`))
  const channel = connect(
    path,
    (request) => requests.push(request),
    () => {
      closings++
      resolve()
    },
    guard,
    options?.patience
  )
  try {
    await use({ channel, closed, closings: () => closings, requests, socket })
    assert.deepStrictEqual(failures, options?.failures ?? [])
  } finally {
    channel.close()
    await socket.then((accepted) => accepted.destroy())
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const message = (bytes: number): Message => ({ type: "unsupported", t: 0, what: "-".repeat(bytes) })
const megabyte = 1024 * 1024

describe("Channel", { timeout: 30_000 }, () => {
  it("sends one message per line, including messages from before it was connected", () =>
    withPeer(async ({ channel, socket }) => {
      channel.send({ type: "unsupported", t: 1, what: "two\nlines" })
      channel.send({ type: "bye", t: 2, code: 0 })
      let text = ""
      for await (const chunk of (await socket).setEncoding("utf8")) {
        text += String(chunk)
        if (text.split("\n").length > 2) break
      }
      assert.deepStrictEqual(text.split("\n").slice(0, 2).map((line) => JSON.parse(line) as unknown), [
        { type: "unsupported", t: 1, what: "two\nlines" },
        { type: "bye", t: 2, code: 0 }
      ])
    }))

  it("delivers requests that arrive in pieces, and ignores lines that are not requests", () =>
    withPeer(async ({ closed, requests, socket }) => {
      const accepted = await socket
      const line = JSON.stringify({ type: "inspect", site: 7, most: 3 })
      accepted.write(`no request at all\n${line}\n${line.slice(0, 5)}`)
      while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
      accepted.end(line.slice(5) + "\n")
      await closed
      assert.deepStrictEqual(requests, Array(2).fill({ type: "inspect", site: 7, most: 3 }))
    }))

  it("makes messages only when there is room for them, and delivers all in order when the reader reads", () =>
    withPeer(async ({ channel, closings, socket }) => {
      const accepted = await socket
      const count = 100
      let made = 0
      channel.sendAll((function*() {
        for (; made < count; made++) yield { type: "unsupported", t: made, what: "-".repeat(megabyte / 4) } as const
      })())
      channel.send({ type: "bye", t: count, code: 0 })
      await new Promise((resolve) => setTimeout(resolve, 50))
      // The kernel takes some bytes before any message waits.
      assert.isBelow(made, 10)
      assert.isTrue(channel.isBusy())
      const times: Array<number> = []
      let text = ""
      accepted.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = (text + chunk).split("\n")
        text = lines.pop()!
        for (const line of lines) times.push((JSON.parse(line) as { t: number }).t)
      }).resume()
      while (times.length <= count) await once(accepted, "data")
      assert.deepStrictEqual(times, Array.from({ length: count + 1 }, (_, i) => i))
      assert.isFalse(channel.isBusy())
      assert.strictEqual(closings(), 0)
    }, { deaf: true }))

  it("closes permanently and reports it once when the reader has read nothing for too long", () =>
    withPeer(async ({ channel, closed, closings }) => {
      for (let sent = 0; sent < 8; sent++) channel.send(message(room))
      assert.isTrue(channel.isBusy())
      await closed
      assert.isFalse(channel.isBusy())
      channel.send(message(1))
      channel.flush()
      channel.close()
      await new Promise((resolve) => setImmediate(resolve))
      assert.strictEqual(closings(), 1)
    }, { deaf: true, patience: 100 }))

  it.each(["connected", "connecting"])(
    "flushes exactly what has not been written when a process that is %s exits, however full the pipe is",
    (state) => {
      const folder = mkdtempSync(join(tmpdir(), "fiberscope-channel-"))
      const path = join(folder, "agents.sock")
      const lengths = [room / 2, 10, 2 * room, 5, 4 * room, 1]
      const server = net.createServer({ pauseOnConnect: true }).listen(path)
      return once(server, "listening").then(async () => {
        const program = alone(node("last-words.mjs", path, state, ...lengths.map(String)))
        const [socket] = await once(server, "connection") as [net.Socket]
        await new Promise((resolve) => setTimeout(resolve, 100)) // a reader that is slower than the program
        let text = ""
        for await (const chunk of socket.setEncoding("utf8")) text += String(chunk)
        assert.deepStrictEqual((await program).stderr, "")
        const messages = text.trimEnd().split("\n").map((line) => JSON.parse(line) as Message)
        assert.deepStrictEqual(
          messages.map((message) => message.type === "unsupported" ? message.what.length : message.type),
          [...lengths, "bye"]
        )
      }).finally(() => {
        server.close()
        rmSync(folder, { recursive: true, force: true })
      })
    }
  )

  it("continues after messages that cannot be made, and reports the failure once", () =>
    withPeer(async ({ channel, socket }) => {
      channel.sendAll((function*() {
        yield { type: "unsupported", t: 1, what: "the first" } as const
        throw new Error("no second")
      })())
      channel.send({ type: "bye", t: 2, code: 0 })
      let text = ""
      for await (const chunk of (await socket).setEncoding("utf8")) {
        text += String(chunk)
        if (text.includes("bye")) break
      }
      assert.match(text, /the first.*\n.*bye/)
    }, { failures: ["message: Error: no second"] }))

  it("stays open for any amount of data while the reader reads", () =>
    withPeer(async ({ channel, closings, socket }) => {
      const accepted = await socket
      let received = 0
      accepted.on("data", (chunk) => received += chunk.length)
      for (let sent = 0; sent < 20; sent++) {
        channel.send(message(megabyte))
        while (received < sent * megabyte) await once(accepted, "data")
      }
      assert.strictEqual(closings(), 0)
    }))

  it("closes when the reader disconnects, and reports it once", () =>
    withPeer(async ({ channel, closed, closings, socket }) => {
      void (await socket).destroy()
      await closed
      channel.send(message(1))
      channel.close()
      assert.strictEqual(closings(), 1)
    }))

  it("closes when nothing listens at the socket", async () => {
    await new Promise<void>((resolve) =>
      connect(join(tmpdir(), "fiberscope-nobody.sock"), () => {}, resolve, makeGuard(() => {}))
    )
  })
})
