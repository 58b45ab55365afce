/** Bounded traffic against programs on loopback, and the peers they talk to. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { IncomingMessage } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Answer, Peer, Running } from "./Program.ts"

/** Sends one request, and answers with its status and body; a program that is gone is an answer too. */
export const ask = async (
  { port }: Running,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}
): Promise<{ readonly status: number; readonly body: string; readonly headers: Headers }> => {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { ...(options.body === undefined ? {} : { "content-type": "application/json" }), ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(10_000)
    })
    return { status: response.status, body: await response.text(), headers: response.headers }
  } catch (error) {
    return { status: 0, body: `no answer: ${(error as Error).message}`, headers: new Headers() }
  }
}

/** Sends one request and records the answer. */
export const asked = async (running: Running, method: string, path: string, options?: Parameters<typeof ask>[3]) => {
  const answer = await ask(running, method, path, options)
  running.record(`${method} ${path}`, `${answer.status} ${answer.body.slice(0, 2000)}`)
  return answer
}

/** The number of steps that fill five sixths of a run at this rate; the rest is for what comes to rest afterwards. */
export const steps = ({ seconds }: Running, perSecond: number): number => Math.floor(seconds * perSecond * 5 / 6)

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const chunk of request) body += String(chunk)
  return body
}

/** An OTLP collector that counts the spans and log records it gets, by name. */
export const collector = async (): Promise<Peer> => {
  const counts = new Map<string, number>()
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  const server = createServer(async (request, response) => {
    const text = await bodyOf(request)
    for (const [, name] of text.matchAll(/"name":"(checkout[^"]*|Checkout[^"]*)"/g)) count(`span ${name}`)
    for (const [, body] of text.matchAll(/"body":\{"stringValue":"([^"]*)"/g)) count(`log ${body}`)
    response.setHeader("content-type", "application/json").end("{}")
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    env: { COLLECTOR: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    // The last batch of a program that is stopped may or may not arrive, so how many is not compared, but that and what.
    answers: () => [...counts.keys()].sort().map((name) => ({ request: "exported", answer: name })),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

interface Socket {
  readonly send: (text: string) => void
  readonly on: (event: "message" | "close", listener: (data: Buffer) => void) => void
}

interface SocketServer {
  readonly on: (event: "connection", listener: (socket: Socket) => void) => void
  readonly close: () => void
}

/** A Discord of our own: the gateway says hello, then sends interactions, and the API answers them with headers of rate limits. */
export const discord = async (folder: string): Promise<Peer> => {
  const { WebSocketServer } = createRequire(join(folder, "package.json"))("ws") as {
    readonly WebSocketServer: new(options: { readonly server: unknown }) => SocketServer
  }
  const answers: Array<Answer> = []
  let gateway: Socket | undefined
  let ready = false
  let answered = 0
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const path = request.url ?? ""
    response.setHeader("content-type", "application/json")
    const json = (value: unknown) => response.end(JSON.stringify(value))
    if (path === "/gateway/bot") {
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
      return json({
        url,
        shards: 1,
        session_start_limit: { total: 9, remaining: 9, reset_after: 0, max_concurrency: 1 }
      })
    }
    if (path.startsWith("/interactions/")) {
      answered++
      answers.push({ request: path.replace(/[^/]+\/callback/, "<token>/callback"), answer: body })
      for (
        const [name, value] of Object.entries({ bucket: "callback", limit: "50", remaining: "49", "reset-after": "1" })
      ) response.setHeader(`x-ratelimit-${name}`, value)
      response.statusCode = 204
      return response.end()
    }
    if (path.endsWith("/commands")) ready = true
    answers.push({ request: `${request.method} ${path}`, answer: body })
    return json(path.endsWith("/commands") ? [] : { id: "100000000000000000", name: "bot" })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const sockets = new WebSocketServer({ server })
  sockets.on("connection", (socket) => {
    gateway = socket
    socket.send(JSON.stringify({ op: 10, d: { heartbeat_interval: 5000 } }))
    socket.on("message", (data) => {
      const { op } = JSON.parse(data.toString()) as { readonly op: number }
      if (op === 1) socket.send(JSON.stringify({ op: 11 }))
      if (op !== 2) return
      const d = {
        v: 10,
        session_id: "session",
        resume_gateway_url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        user: { id: "1", username: "bot" },
        guilds: [],
        application: { id: "100000000000000000", flags: 0 }
      }
      socket.send(JSON.stringify({ op: 0, t: "READY", s: 1, d }))
    })
  })
  return {
    env: { DISCORD: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, DISCORD_BOT_TOKEN: "token" },
    drive: async (running) => {
      await running.until(() => ready, 20_000)
      const count = steps(running, 40)
      await running.pace(count, 40, async (i) => {
        const id = String(10n ** 17n + BigInt(i))
        const d = {
          id,
          token: `${id}${"t".repeat(200)}`,
          application_id: "100000000000000000",
          type: 2,
          version: 1,
          data: { id: "1", name: "hello", type: 1 }
        }
        gateway?.send(JSON.stringify({ op: 0, t: "INTERACTION_CREATE", s: i + 2, d }))
        await sleep(0)
      })
      await running.until(() => answered >= count, 5000)
    },
    // Two answers may be on their way at once.
    answers: () => answers.toSorted((a, b) => a.request < b.request ? -1 : 1),
    close: async () => {
      sockets.close()
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

/** Speaks JSON-RPC over the input and output of a program, one line a message. */
export const rpc = (running: Running) => {
  let id = 0
  const send = (message: unknown): void =>
    running.write(`${JSON.stringify({ jsonrpc: "2.0", ...message as object })}\n`)
  const call = async (method: string, params: unknown): Promise<string> => {
    const mine = ++id
    const of = (output: string) =>
      output.split("\n").find((line) => line.includes(`"id":${mine}}`) || line.includes(`"id":${mine},`))
    send({ id: mine, method, params })
    await running.until((output) => of(output) !== undefined, 15_000)
    return of(running.output()) ?? "no answer"
  }
  return { call, notify: (method: string, params: unknown = {}) => send({ method, params }) }
}
