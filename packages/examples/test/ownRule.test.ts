/** A rule from outside is one file and one line of registration. */
import { assert, it } from "@effect/vitest"
import { defaultRules } from "@fiberscope/detector/Diagnosis"
import { LeakDetector } from "@fiberscope/detector/LeakDetector"
import { Effect } from "effect"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { IdleConnections } from "../src/IdleConnections.ts"

/** Some sockets to a server on loopback, for as long as the scope is open. */
const sockets = (count: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const accepted: Array<Socket> = []
      const server = createServer((socket) => void accepted.push(socket)).listen(0, "127.0.0.1")
      await new Promise((resolve) => server.once("listening", resolve))
      const { port } = server.address() as AddressInfo
      const opened = Array.from({ length: count }, () => connect(port, "127.0.0.1"))
      await Promise.all(opened.map((socket) => new Promise((resolve) => socket.once("connect", resolve))))
      return { accepted, opened, server }
    }),
    ({ accepted, opened, server }) =>
      Effect.sync(() => {
        for (const socket of [...accepted, ...opened]) socket.destroy()
        server.close()
      })
  )

// A real process has real sockets, and the detector reads it on the real clock.
it.live("a rule of the program's own finds what it looks for, beside all others", () =>
  Effect.scoped(Effect.gen(function*() {
    yield* sockets(40)
    const detector = yield* LeakDetector
    yield* Effect.sleep("400 millis")
    const { findings, problems } = yield* detector.diagnosis
    assert.deepStrictEqual(problems, [])
    const [own] = findings.filter(({ kind }) => kind === "idle-connections")
    assert.match(own!.summary, /^\d+ sockets are open, and only \d+ fibers live$/)
    assert.deepInclude(own, {
      rule: "IdleConnections",
      docs: "https://example.org/operations#connections",
      severity: "info"
    })
  })).pipe(
    Effect.provide(LeakDetector.layer({ interval: "100 millis", rules: [...defaultRules, IdleConnections(30)] }))
  ))
