/**
 * The way from an agent to whoever analyses: one connection for each process, opened when there is something to say.
 *
 * Nothing here keeps the program alive or waits for anybody. When the other side is gone, or does not read, the channel closes
 * itself for good; what the agent does after that is nothing.
 */
import { writeSync } from "node:fs"
import net from "node:net"
import type { Message, Request } from "./Protocol.ts"

/** Where an agent's messages go. */
export interface Channel {
  readonly send: (message: Message) => void
  /** Sends what is still here, because the event loop will not turn again. */
  readonly flush: () => void
  readonly close: () => void
}

// Taken at load: the program may replace it.
const stringify = JSON.stringify

/** More than this not yet read by the other side means that it does not read. */
const maxBuffered = 8 * 1024 * 1024

/** Opens a channel to a socket. `closed` is called once, when nobody listens any more. */
export const connect = (path: string, onRequest: (request: Request) => void, closed: () => void): Channel => {
  let open = true
  let input = ""
  let early: Array<string> | undefined = []
  const socket = net.connect({ path })
  socket.unref()
  socket.setEncoding("utf8")
  const close = (): void => {
    if (!open) return
    open = false
    socket.destroy()
    closed()
  }
  socket.on("connect", () => early = undefined)
  socket.on("error", close)
  socket.on("close", close)
  socket.on("data", (chunk: string) => {
    const lines = (input + chunk).split("\n")
    input = lines.pop()!
    for (const line of lines) {
      try {
        onRequest(JSON.parse(line) as Request)
      } catch {
        // An agent answers what it understands, and nothing else.
      }
    }
  })
  return {
    send: (message) => {
      if (!open) return
      if (socket.writableLength > maxBuffered) return close()
      const line = stringify(message) + "\n"
      early?.push(line)
      // Written to the kernel at once when there is room, also while the process exits.
      socket.write(line)
    },
    flush: () => {
      if (!open || early === undefined) return
      // The kernel has connected the socket, but node learns that from the event loop only, and keeps what is written until then.
      const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null }
      if (handle?.fd === undefined || handle.fd < 0) return
      try {
        writeSync(handle.fd, early.join(""))
      } catch {
        // Nobody listens, or not fast enough.
      }
    },
    close
  }
}
