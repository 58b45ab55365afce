import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "../../src/agent/Channel.ts"
import type { Channel } from "../../src/agent/Channel.ts"
import type { Message, Request } from "../../src/agent/Protocol.ts"

interface Peer {
  readonly channel: Channel
  /** Resolved when the channel says that it is closed; `closings` counts how often it does. */
  readonly closed: Promise<void>
  readonly closings: () => number
  readonly requests: ReadonlyArray<Request>
  readonly socket: Promise<net.Socket>
}

/** A channel, and whoever is at its other end. */
const withPeer = async (use: (peer: Peer) => Promise<void>, options?: { readonly deaf: boolean }): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-channel-"))
  const path = join(folder, "agents.sock")
  const server = net.createServer({ pauseOnConnect: options?.deaf === true }).listen(path)
  await once(server, "listening")
  const socket = once(server, "connection").then(([accepted]: Array<unknown>) => accepted as net.Socket)
  const requests: Array<Request> = []
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let closings = 0
  const channel = connect(path, (request) => requests.push(request), () => {
    closings++
    resolve()
  })
  try {
    await use({ channel, closed, closings: () => closings, requests, socket })
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
  it("says one message a line, also those from before it was connected", () =>
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

  it("hands over requests however they are cut, and passes over what is none", () =>
    withPeer(async ({ closed, requests, socket }) => {
      const accepted = await socket
      const line = JSON.stringify({ type: "inspect", site: 7, most: 3 })
      accepted.write(`no request at all\n${line}\n${line.slice(0, 5)}`)
      while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
      accepted.end(line.slice(5) + "\n")
      await closed
      assert.deepStrictEqual(requests, Array(2).fill({ type: "inspect", site: 7, most: 3 }))
    }))

  it("closes itself for good, and says so once, when more than 8 MB wait for a reader", () =>
    withPeer(async ({ channel, closed, closings }) => {
      let sent = 0
      while (sent < 30 && closings() === 0) {
        channel.send(message(megabyte))
        sent++
      }
      await closed
      assert.strictEqual(sent, 9) // eight with their frames are a little more than 8 MB
      channel.send(message(1))
      channel.flush()
      channel.close()
      await new Promise((resolve) => setImmediate(resolve))
      assert.strictEqual(closings(), 1)
    }, { deaf: true }))

  it("stays open for any amount that somebody reads", () =>
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

  it("ends when the other side is gone, and says so once", () =>
    withPeer(async ({ channel, closed, closings, socket }) => {
      void (await socket).destroy()
      await closed
      channel.send(message(1))
      channel.close()
      assert.strictEqual(closings(), 1)
    }))

  it("ends when there is no other side", async () => {
    await new Promise<void>((resolve) => connect(join(tmpdir(), "fiberscope-nobody.sock"), () => {}, resolve))
  })
})
