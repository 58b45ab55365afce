/**
 * Keeps the service busy with a bounded number of connections, each of which sends the next request after the answer to the last. The
 * requests are prepared bytes, and only the length of an answer is read, so that the service is the bottleneck and not this process.
 *
 *     node benchmarks/service/load.ts <port> <seconds of warm-up> <seconds>
 */
import { once } from "node:events"
import { get } from "node:http"
import { connect } from "node:net"
import type { Socket } from "node:net"
import process from "node:process"
import { text } from "node:stream/consumers"

/** The resources that the service has used since its start. */
export interface Usage {
  readonly cpuMs: number
  readonly rss: number
}

/** The measurement of all requests that were answered between two readings of the usage. */
export interface Measured {
  readonly requests: number
  readonly seconds: number
  readonly cpuMs: number
  readonly rss: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** The share of a core that this process used. Near 1, this process was the bottleneck. */
  readonly clientShare: number
}

/** The number of connections: enough to keep one core busy while a quarter of the requests wait for a timer. */
const connections = 32

/** The number of requests after which the load ends at the latest. */
const mostRequests = 5_000_000

const body = JSON.stringify({
  customer: 7,
  items: Array.from({ length: 8 }, (_, i) => ({ sku: `part-${i}`, amount: i + 1, cents: 125 * i })),
  note: "leave it at the door"
})

const requestTo = (path: string): Buffer =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )

/** One request in four is an order. */
const requests = ["/quotes", "/quotes", "/quotes", "/orders"].map(requestTo)

/** Sends one request after the other, and calls `answered` with the duration of each in milliseconds. */
const converse = (socket: Socket, first: number, answered: (ms: number) => boolean): void => {
  let next = first
  let sent = 0
  let received = ""
  const send = (): void => {
    sent = performance.now()
    socket.write(requests[next++ % requests.length]!)
  }
  socket.setNoDelay(true)
  socket.setEncoding("latin1")
  socket.on("data", (chunk: string) => {
    received += chunk
    const head = received.indexOf("\r\n\r\n")
    if (head < 0) return
    const length = /\r\ncontent-length: (\d+)/i.exec(received)
    if (!received.startsWith("HTTP/1.1 200 ") || length === null) throw new Error(`unexpected answer: ${received}`)
    if (received.length < head + 4 + Number(length[1])) return
    received = ""
    if (answered(performance.now() - sent)) send()
    else socket.destroy()
  })
  send()
}

const usageAt = async (port: number): Promise<Usage> => {
  const [response] = await once(get({ host: "127.0.0.1", port, path: "/usage", agent: false }), "response")
  return JSON.parse(await text(response)) as Usage
}

const measure = async (port: number, warmUp: number, seconds: number): Promise<Measured> => {
  const latencies: Array<number> = []
  let measuring = false
  let over = false
  let all = 0
  const answered = (ms: number): boolean => {
    if (measuring) latencies.push(ms)
    return !over && ++all < mostRequests
  }
  for (let i = 0; i < connections; i++) {
    const socket = connect({ host: "127.0.0.1", port })
    await once(socket, "connect")
    converse(socket, i, answered)
  }
  await pause(warmUp)
  const before = await usageAt(port)
  const start = performance.now()
  const own = process.cpuUsage()
  measuring = true
  await pause(seconds)
  const after = await usageAt(port)
  const elapsed = performance.now() - start
  const { system, user } = process.cpuUsage(own)
  measuring = false
  over = true
  const sorted = Float64Array.from(latencies).sort()
  return {
    requests: latencies.length,
    seconds: elapsed / 1000,
    cpuMs: after.cpuMs - before.cpuMs,
    rss: after.rss,
    p50: sorted[Math.floor(0.5 * sorted.length)]!,
    p99: sorted[Math.floor(0.99 * sorted.length)]!,
    clientShare: (system + user) / 1000 / elapsed
  }
}

const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * seconds))

const [port, warmUp, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
console.log(JSON.stringify(await measure(port, warmUp, seconds)))
