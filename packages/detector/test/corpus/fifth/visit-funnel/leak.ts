/*
 * Pages of a shop report what visitors do. A stream joins that into visits, and tells how each of them went.
 *
 * The bug: a visit stays in the state of the stream when the visitor has left.
 */
import { Effect, HashMap, Option, Queue, Stream } from "effect"
import { Agent, createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

interface Step {
  readonly visit: number
  readonly action: string
  readonly details: ReadonlyArray<string>
}

const parse = (url: string): Step => {
  const [, visit, action = ""] = url.split("/")
  return { visit: Number(visit), action, details: Array.from({ length: 25 }, (_, n) => `${url}#${n}`) }
}

const steps = Effect.runSync(Queue.sliding<Step>(100))

const advance = (visits: HashMap.HashMap<number, ReadonlyArray<Step>>, step: Step) => {
  const soFar = Option.getOrElse(HashMap.get(visits, step.visit), (): ReadonlyArray<Step> => [])
  const visit = [...soFar, step]
  const next = HashMap.set(visits, step.visit, visit)
  return [next, step.action === "leave" ? [visit.map(({ action }) => action).join(" ")] : []] as const
}

const funnel = Stream.fromQueue(steps).pipe(
  Stream.mapAccum(() => HashMap.empty<number, ReadonlyArray<Step>>(), advance),
  Stream.filter((visit) => visit.includes("buy")),
  Stream.runForEach((visit) => Effect.logDebug(visit))
)

const server = createServer((request, response) => {
  Queue.offerUnsafe(steps, parse(request.url ?? ""))
  response.end()
})

const agent = new Agent({ keepAlive: true, maxSockets: 4 })
let visits = 0

const visitor = (visit: number, actions: ReadonlyArray<string>) => {
  const [action, ...others] = actions
  const { port } = server.address() as AddressInfo
  send({ agent, host: "127.0.0.1", port, method: "POST", path: `/${visit}/${action}` }, (response) => response.resume())
    .end()
  if (others.length > 0) setTimeout(visitor, jitter(100), visit, others)
}

server.listen(0, "127.0.0.1", () => {
  setInterval(() => visitor(++visits, ["enter", "look", visits % 3 === 0 ? "buy" : "look", "leave"]), 70)
})

Effect.runFork(funnel)
