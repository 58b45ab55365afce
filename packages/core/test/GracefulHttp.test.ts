/** A real HTTP server that is stopped under load: it answers all requests that it has accepted. */
import { assert, describe, it } from "@effect/vitest"
import type { Load } from "./support/Load.ts"
import { load, proxy } from "./support/Load.ts"
import type { Running } from "./support/Process.ts"
import { fixture, pass, start } from "./support/Process.ts"

/** `npm run test:slow` takes its time. */
const slow = process.env["FIBERSCOPE_SLOW"] !== undefined
const restarts = slow ? 20 : 2

const serve = async (options: Readonly<Record<string, unknown>>): Promise<Running & { readonly port: number }> => {
  const running = start([process.execPath, fixture("shutdown/server.ts"), JSON.stringify(options)])
  await running.printed("\n")
  return { ...running, port: Number(/^up (\d+)\n/.exec(running.stdout())?.[1]) }
}

/** The numbers of requests that the handlers have begun and finished, as printed by the server at its end. */
const counts = (stdout: string) => /accepted (\d+), answered (\d+)/.exec(stdout)?.slice(1).map(Number)

const total = ({ outcomes }: Load) => [...outcomes.values()].reduce((sum, count) => sum + count, 0)

describe.concurrent("an HTTP server that is stopped", { timeout: slow ? 900_000 : 120_000 }, () => {
  it("answers all accepted requests under load on persistent connections", async () => {
    const server = await serve({ preStopDelay: 500, deadline: 10_000 })
    const clients = load(server.port, "/work", 40, 20)
    while (total(clients) === 0) await pass(1)
    // The server is stopped after a second of load, which on a busy machine may not be the first second.
    let rate = 0
    for (let second = 0; second < 30 && (rate < 200 || slow && second < 10); second++) {
      const before = total(clients)
      const began = performance.now()
      await pass(1000)
      rate = (total(clients) - before) / ((performance.now() - began) / 1000)
    }
    assert.isAtMost(clients.connections(), 40, "connections are kept")
    server.kill("SIGTERM")
    const ended = await server.ended
    await clients.stop()
    assert.deepStrictEqual([ended.code, ended.killed], [143, false], ended.stderr)
    const [accepted, answered] = counts(ended.stdout)!
    assert.strictEqual(answered, accepted)
    assert.strictEqual(clients.outcomes.get(200), answered, JSON.stringify([...clients.outcomes]))
    assert.isAtLeast(rate, 200, "the machine is too busy for the load that this is about")
  })

  it("is not delayed by clients that never close their connections", async () => {
    const server = await serve({ preStopDelay: 0, deadline: 20_000 })
    const clients = load(server.port, "/work", 8, 0)
    while (total(clients) < 8) await pass(5)
    server.kill("SIGTERM")
    const ended = await server.ended
    await clients.stop()
    assert.strictEqual(ended.code, 143)
    assert.notInclude(ended.stderr, "deadline")
    assert.isBelow(ended.ms, 1000 + ended.startMs)
    assert.strictEqual(new Set(counts(ended.stdout)).size, 1)
  })

  it("ends at the deadline without `connection: close` headers, and names both ends of the connections", async () => {
    const server = await serve({ preStopDelay: 0, deadline: 1000, closing: false })
    const clients = load(server.port, "/work", 8, 0)
    while (total(clients) < 8) await pass(5)
    server.kill("SIGTERM")
    const ended = await server.ended
    await clients.stop()
    assert.strictEqual(ended.code, 143)
    assert.isBelow(ended.ms, 2000 + ended.startMs)
    assert.match(ended.stderr, /"http" was interrupted after .* \(inPhase http \(\S+server\.ts:\d+\)\)\n/)
    assert.match(ended.stderr, new RegExp(`open handles:[^]*socket 127.0.0.1:${server.port} → 127.0.0.1:\\d+`))
  })

  it("ends at the deadline when a handler does not end, and names it", async () => {
    const server = await serve({ preStopDelay: 0, deadline: 1000 })
    const clients = load(server.port, "/never", 1, 0)
    await server.printed("asked\n")
    server.kill("SIGTERM")
    const ended = await server.ended
    await clients.stop()
    assert.strictEqual(ended.code, 143)
    assert.isBelow(ended.ms, 2000 + ended.startMs)
    assert.match(
      ended.stderr,
      /(main does not end|the deadline has passed): .*\n[^]*Report\.render \(\S+server\.ts:\d+\)/
    )
  })

  it(`fails no request of two servers behind a proxy, restarted in turn ${restarts} times`, async () => {
    const front = await proxy()
    const launch = async () => {
      const server = await serve({ preStopDelay: 400, deadline: 10_000 })
      front.add(server.port)
      await front.ready(server.port)
      return server
    }
    let servers = [await launch(), await launch()]
    const clients = load(front.port, "/work", 20, 20)
    try {
      for (let i = 0; i < 2 * restarts; i++) {
        const [oldest, ...others] = servers as [Awaited<ReturnType<typeof launch>>]
        servers = [...others, await launch()]
        oldest.kill("SIGTERM")
        const ended = await oldest.ended
        front.remove(oldest.port)
        assert.strictEqual(ended.code, 143, ended.stderr)
        assert.strictEqual(new Set(counts(ended.stdout)).size, 1)
      }
    } finally {
      await clients.stop()
      front.close()
      for (const server of servers) server.kill("SIGKILL")
    }
    assert.deepStrictEqual([...clients.outcomes.keys()], [200], JSON.stringify([...clients.outcomes]))
    assert.isAtLeast(clients.outcomes.get(200)!, 100)
  })
})
