/*
 * Long polling: GET /poll/<room> is answered when somebody writes to the room. Browsers hang up and ask again all the
 * time; rooms nobody writes to are the usual case.
 *
 * What leak.ts does wrong is put right here: the fiber is interrupted when its client has gone.
 */
import { Effect, Queue } from "effect"
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { jitter } from "../../support/life.ts"

type Message = { readonly from: string; readonly text: string }

class Rooms {
  private readonly waiting = new Map<string, Set<Queue.Queue<Message>>>()

  wait(room: string) {
    return Effect.acquireUseRelease(
      Effect.tap(Queue.unbounded<Message>(), (mailbox) => Effect.sync(() => this.mailboxes(room).add(mailbox))),
      (mailbox) => Queue.take(mailbox),
      (mailbox) => Effect.sync(() => this.mailboxes(room).delete(mailbox))
    )
  }

  write(room: string, message: Message) {
    return Effect.forEach([...this.mailboxes(room)], (mailbox) => Queue.offer(mailbox, message), { discard: true })
  }

  private mailboxes(room: string) {
    let mailboxes = this.waiting.get(room)
    if (mailboxes === undefined) {
      mailboxes = new Set()
      this.waiting.set(room, mailboxes)
    }
    return mailboxes
  }
}

const rooms = new Rooms()

function poll(request: IncomingMessage, response: ServerResponse) {
  const room = request.url!.slice("/poll/".length)
  const fiber = Effect.runFork(
    rooms.wait(room).pipe(
      Effect.map((message) => response.end(JSON.stringify(message)))
    )
  )
  response.on("close", () => fiber.interruptUnsafe())
}

function browser(port: number) {
  const busy = Math.random() < 0.5
  const request = get({ port, host: "127.0.0.1", path: `/poll/${busy ? "busy" : "quiet"}`, agent: false })
  request.on("response", (response) => response.resume()).on("error", () => {})
  setTimeout(() => request.destroy(), jitter(800))
}

const server = createServer(poll)

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  setInterval(() => browser(port), 40)
  setInterval(() => Effect.runFork(rooms.write("busy", { from: "robot", text: "tick" })), 250)
})
