/** HTTP clients with persistent connections, and a small proxy in front of servers that are restarted. */
import type { Server } from "node:http"
import { Agent, createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { pass } from "./Process.ts"

/** The result of a request: its status, or the code of the error. */
type Outcome = number | string

const ask = (port: number, path: string, agent: Agent): Promise<Outcome> =>
  new Promise((resolve) => {
    get({ port, host: "127.0.0.1", path, agent }, (response) => {
      response.resume()
      response.on("end", () => resolve(response.statusCode!))
      response.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    }).on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })

export interface Load {
  /** The number of requests with each result so far. */
  readonly outcomes: ReadonlyMap<Outcome, number>
  /** The number of connections opened so far. */
  readonly connections: () => number
  /** Lets each client finish its request. */
  readonly stop: () => Promise<void>
}

/** Clients with one connection each, which send requests repeatedly with a pause. They stop when the server no longer listens. */
export const load = (port: number, path: string, clients: number, pauseMs: number): Load => {
  const outcomes = new Map<Outcome, number>()
  let stopped = false
  let connections = 0
  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const create = agent.createConnection.bind(agent)
    agent.createConnection = (...args) => {
      connections++
      return create(...args)
    }
    while (!stopped) {
      const outcome = await ask(port, path, agent)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (outcome === "ECONNREFUSED") break
      if (pauseMs > 0) await pass(pauseMs)
    }
    agent.destroy()
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  return {
    outcomes,
    connections: () => connections,
    stop: async () => {
      stopped = true
      await all
    }
  }
}

export interface Proxy {
  readonly port: number
  readonly add: (port: number) => void
  readonly remove: (port: number) => void
  /** Waits until a server is ready. */
  readonly ready: (port: number) => Promise<void>
  readonly close: () => void
}

const probeMs = 25

/** Forwards requests to ready servers in turn. It tries each request once, so that failures are visible. */
export const proxy = async (): Promise<Proxy> => {
  const servers = new Map<number, { readonly agent: Agent; ready: boolean }>()
  let turn = 0
  const probe = setInterval(() => {
    for (const [port, server] of servers) {
      void ask(port, "/readyz", new Agent({ keepAlive: false })).then((outcome) => server.ready = outcome === 200)
    }
  }, probeMs)
  const server: Server = createServer((request, response) => {
    const ready = [...servers].filter(([, { ready }]) => ready)
    const chosen = ready[turn++ % Math.max(ready.length, 1)]
    const fail = (status: number) => {
      if (response.headersSent) response.destroy()
      else response.writeHead(status).end()
    }
    if (chosen === undefined) return fail(503)
    const [port, { agent }] = chosen
    get({ port, host: "127.0.0.1", path: request.url, agent }, (answer) => {
      response.writeHead(answer.statusCode!)
      answer.pipe(response)
      answer.on("error", () => fail(502))
    }).on("error", () => fail(502))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    add: (port) => servers.set(port, { agent: new Agent({ keepAlive: true }), ready: false }),
    remove: (port) => {
      servers.get(port)?.agent.destroy()
      servers.delete(port)
    },
    ready: async (port) => {
      while (servers.get(port)?.ready !== true) await pass(probeMs)
    },
    close: () => {
      clearInterval(probe)
      for (const { agent } of servers.values()) agent.destroy()
      server.close()
      server.closeAllConnections()
    }
  }
}
