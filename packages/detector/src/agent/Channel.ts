/**
 * The connection from an agent to the process that analyses: one for each observed process, opened for the first message.
 *
 * It never keeps the program alive and never makes it wait. Unread messages are in the program's memory, so they are bounded: at
 * most {@link room} bytes are written ahead, and further messages are only made when there is room for them. The agent takes no
 * reading while messages wait, so a slow reader delays messages and loses none. The channel closes when the reader disconnects, or
 * has read nothing for {@link patienceMs}.
 */
import type { Guard, GuardedTimer } from "@fiberscope/core/FiberCensus"
import { Buffer } from "node:buffer"
import { writeSync } from "node:fs"
import net from "node:net"
import { performance } from "node:perf_hooks"
import type { Outlet } from "./Outlet.ts"
import type { Message, Request } from "./Protocol.ts"

/** The connection of an agent to the reader of its messages. */
export interface Channel extends Outlet {
  /** Sends the waiting messages synchronously, because the event loop will not run again. It takes at most {@link lastWordsMs}. */
  readonly flush: () => void
  readonly close: () => void
}

// Taken at load: the program may replace them.
const stringify = JSON.stringify
const parse = JSON.parse
const now = performance.now.bind(performance)
const bytesOf = Buffer.from

/** Bytes that may be written ahead of the reader: a few ticks, and little compared with the heap of any program. */
export const room = 256 * 1024

/** How long a reader may read nothing before the channel closes, in milliseconds. */
const patienceMs = 120_000

/** The longest delay of the program's end for a slow reader, in milliseconds. */
const lastWordsMs = 250

/** A line that was given to the socket, and the position of its end among all bytes given so far. */
interface Given {
  readonly bytes: Uint8Array
  readonly end: number
}

/** Opens a channel to a socket. `closed` is called once, when the channel has closed. */
export const connect = (
  path: string,
  onRequest: (request: Request) => void,
  closed: () => void,
  guard: Guard,
  patience = patienceMs
): Channel => {
  let open = true
  let input = ""
  let given = 0
  /** Lines that the kernel may not have taken yet. */
  let unsent: Array<Given> = []
  const waiting: Array<Iterator<Message>> = []
  let stalled: GuardedTimer | undefined
  const socket = net.connect({ path })
  socket.unref()
  socket.setEncoding("utf8")

  const close = (): void => {
    if (!open) return
    open = false
    stalled?.stop()
    waiting.length = 0
    unsent = []
    socket.destroy()
    closed()
  }

  /** The number of bytes that the kernel has taken. */
  const sent = (): number => {
    const { _handle: handle } = socket as { readonly _handle?: Handle | null }
    return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0)
  }

  const write = (message: Message): void => {
    const bytes = bytesOf(stringify(message) + "\n", "utf8")
    given += bytes.length
    const taken = sent()
    if (unsent.length > 0 && unsent[0]!.end <= taken) unsent = unsent.filter(({ end }) => end > taken)
    unsent.push({ bytes, end: given })
    // The socket passes bytes to the kernel at once when there is room, even while the process exits.
    socket.write(bytes)
  }

  /** The next waiting message. An iterator that fails is dropped; its earlier messages have been sent. */
  const next = (): Message | undefined => {
    while (waiting.length > 0) {
      const result = guard.run("message", () => waiting[0]!.next(), done)
      if (result.done !== true) return result.value
      waiting.shift()
    }
    return undefined
  }

  const pump = (): void => {
    while (open && socket.writableLength < room) {
      const message = next()
      if (message === undefined) break
      write(message)
    }
    const busy = open && waiting.length > 0
    if (busy) stalled ??= guard.after("patience", patience, close)
    else {
      stalled?.stop()
      stalled = undefined
    }
  }

  socket.on("error", guard.entry("channel error", close))
  socket.on("close", guard.entry("channel close", close))
  socket.on(
    "drain",
    guard.entry("channel drain", () => {
      stalled?.refresh()
      pump()
    })
  )
  socket.on(
    "data",
    guard.entry("request", (chunk: string) => {
      const lines = (input + chunk).split("\n")
      input = lines.pop()!
      for (const line of lines) {
        const request = requestOf(line)
        if (request !== undefined) onRequest(request)
      }
    })
  )
  return {
    send: (message) => {
      if (!open) return
      if (waiting.length === 0 && socket.writableLength < room) return write(message)
      waiting.push([message].values())
      pump()
    },
    sendAll: (messages) => {
      if (!open) return
      waiting.push(messages)
      pump()
    },
    isBusy: () => waiting.length > 0,
    flush: () => {
      const { _handle: handle } = socket as { readonly _handle?: Handle | null }
      if (!open || handle?.fd === undefined || handle.fd < 0) return
      const until = now() + lastWordsMs
      // The socket can no longer write. Only the bytes that the kernel has not taken are written, so no line is cut or repeated.
      const taken = sent()
      for (const { bytes, end } of unsent) {
        const left = Math.min(bytes.length, end - taken)
        if (left > 0 && !writeNow(handle.fd, bytes.subarray(bytes.length - left), until)) return
      }
      for (let message = next(); message !== undefined; message = next()) {
        if (!writeNow(handle.fd, bytesOf(stringify(message) + "\n", "utf8"), until)) return
      }
    },
    close
  }
}

/** The parts of node's socket handle that are read here. They are absent before the socket connects and after it stops writing. */
interface Handle {
  readonly fd?: number
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

const done: IteratorResult<Message> = { done: true, value: undefined }

const requestOf = (line: string): Request | undefined => {
  try {
    return parse(line) as Request
  } catch {
    return undefined // An agent ignores requests that it does not understand.
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Writes all of `bytes`, waiting for the reader until a deadline. Answers `false` after the deadline or without a reader. */
const writeNow = (fd: number, bytes: Uint8Array, until: number): boolean => {
  let from = 0
  while (from < bytes.length) {
    try {
      from += writeSync(fd, bytes, from)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || now() > until) return false
      Atomics.wait(pause, 0, 0, 1)
    }
  }
  return true
}
