/*
 * A members' area over HTTP. Whoever logs in gets a token; every visit prolongs it, and a sweeper removes the sessions
 * that nobody has used for an eighth of the run. One member in three logs out properly.
 *
 * Healthy: a member makes 14 visits at most, so every session is swept in the end, and as many come as go.
 */
import { Context, Effect, Layer, ManagedRuntime, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter, part } from "../../support/life.ts"

interface Session {
  readonly member: string
  readonly visited: Array<string>
  until: number
}

const idle = part(0.12)

class Sessions extends Context.Service<Sessions, {
  readonly login: (member: string) => Effect.Effect<string>
  readonly visit: (token: string, page: string) => Effect.Effect<number>
  readonly logout: (token: string) => Effect.Effect<boolean>
}>()("members/Sessions") {
  static readonly layer = Layer.effect(
    Sessions,
    Effect.gen(function*() {
      const sessions = new Map<string, Session>()
      const sweep = Effect.fn("Sessions.sweep")(function*() {
        const now = yield* Effect.sync(() => performance.now())
        for (const [token, session] of sessions) if (session.until < now) sessions.delete(token)
      })
      yield* Effect.forkScoped(Effect.repeat(sweep(), Schedule.spaced(part(0.015))))
      return {
        login: Effect.fn("Sessions.login")(function*(member: string) {
          const token = randomUUID()
          sessions.set(token, { member, visited: [], until: performance.now() + idle })
          yield* Effect.sleep(jitter(4))
          return token
        }),
        visit: Effect.fn("Sessions.visit")(function*(token: string, page: string) {
          yield* Effect.sleep(jitter(6))
          const session = sessions.get(token)
          if (session === undefined) return 0
          session.until = performance.now() + idle
          session.visited.push(`${page} by ${session.member}`)
          if (session.visited.length > 10) session.visited.shift()
          return session.visited.length
        }),
        logout: (token: string) => Effect.sync(() => sessions.delete(token))
      }
    })
  )
}

const runtime = ManagedRuntime.make(Sessions.layer)

const handle = Effect.fn("handle")(function*(url: string) {
  const sessions = yield* Sessions
  const [, action = "", subject = "", page = ""] = url.split("/")
  if (action === "login") return yield* sessions.login(subject)
  if (action === "logout") return `${yield* sessions.logout(subject)}`
  return `${yield* sessions.visit(subject, page)}`
})

const server = createServer((request, response) => {
  void runtime.runPromise(handle(request.url ?? "")).then((text) => response.end(text))
})

const agent = new Agent({ keepAlive: true, maxSockets: 6 })

const get = (path: string) =>
  Effect.callback<string>((resume) => {
    const { port } = server.address() as AddressInfo
    send({ agent, host: "127.0.0.1", port, path }, (response) => {
      let text = ""
      response.on("data", (chunk) => text += chunk).on("end", () => resume(Effect.succeed(text)))
    }).end()
  })

const member = Effect.fnUntraced(function*(name: string, visits: number, polite: boolean) {
  const token = yield* get(`/login/${name}`)
  for (let page = 0; page < visits; page++) {
    yield* Effect.sleep(jitter(part(0.006)))
    yield* get(`/visit/${token}/page-${page}`)
  }
  if (polite) yield* get(`/logout/${token}`)
})

Effect.runFork(Effect.gen(function*() {
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  for (let id = 0;; id++) {
    yield* Effect.forkChild(member(`member-${id}`, 5 + Math.floor(Math.random() * 10), id % 3 === 0))
    yield* Effect.sleep(jitter(240))
  }
}))
