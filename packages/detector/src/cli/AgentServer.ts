/** The server that agents connect to: a socket in a folder that only its owner can read, and one observation per connection. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import net from "node:net"
import { join } from "node:path"
import type { Mark } from "../agent/Mark.ts"
import type { Message, Request } from "../agent/Protocol.ts"
import * as Observation from "../observation/Observation.ts"
import { decodeMessage } from "../observation/RecordedMessage.ts"
import type { Writer } from "../observation/Recording.ts"
import * as Sources from "../places/Sources.ts"
import * as SocketFolder from "./SocketFolder.ts"

/** The socket for the agents cannot be made. */
export class AgentServerError extends Data.TaggedError("AgentServerError")<{ readonly message: string }> {}

/** An observed process (or worker thread). */
export interface ObservedProcess {
  readonly observation: Observation.Observation
  readonly ask: (request: Request) => void
  readonly connected: () => boolean
  /** Milliseconds since its last message. */
  readonly silentMs: () => number
}

/** The longest path of a socket that is safe everywhere. Linux allows 107 bytes, other systems fewer. */
const longestPath = 100

const maxMarks = 1000

export interface AgentServer {
  readonly path: string
  /** A folder that only its owner can read. It is removed at the end. */
  readonly folder: string
  /** The file for the marks of processes into which the agent was loaded. */
  readonly marksFile: string
  readonly marks: () => ReadonlyArray<Mark>
  readonly processes: () => ReadonlyArray<ObservedProcess>
  /** Adds a message of the command line to an observation, and to the recording. */
  readonly add: (observation: Observation.Observation, message: Message) => void
  /** The text of a source of the program, if it may be read. */
  readonly source: (file: string) => string | undefined
  /** Marks that the program was asked to end: later messages do not count for the verdict. */
  readonly freeze: () => void
  /** Closes every connection, so that the remaining agents stop. */
  readonly hangUp: () => void
}

/** Listens until the scope ends, and then removes the socket and its folder. Messages are written to `recording` as they arrive. */
export const make = (
  recording: Writer
): Effect.Effect<AgentServer, AgentServerError | SocketFolder.SocketFolderError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* SocketFolder.sweep
    const folder = yield* SocketFolder.make
    const path = process.platform === "win32"
      ? `\\\\.\\pipe\\${folder.split("\\").pop()!}`
      : join(folder, SocketFolder.socketName)
    const marksFile = join(folder, "marks")
    const processes: Array<ObservedProcess> = []
    const sources = Sources.make("running")
    const sockets = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      observe(socket, sources, (process) => {
        const index = processes.push(process) - 1
        return (line) => recording.said(index, line)
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void, AgentServerError>((resume) => {
        server.once(
          "error",
          (error) =>
            resume(Effect.fail(
              new AgentServerError({
                message: `cannot listen at the socket ${path}: ${error.message}`
                  + (path.length > longestPath ? "; the path is too long, set TMPDIR=/tmp for a shorter one" : "")
              })
            ))
        )
        server.listen(path, () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
    return {
      path,
      folder,
      marksFile,
      marks: () => readMarks(marksFile),
      processes: () => processes,
      add: (observation, message) => {
        recording.said(processes.findIndex((process) => process.observation === observation), JSON.stringify(message))
        observation.take(message)
      },
      source: sources.read,
      freeze: () => {
        recording.freeze()
        for (const { ask, observation } of processes) {
          observation.freeze()
          ask({ type: "rest" })
        }
      },
      hangUp: () => {
        for (const socket of sockets) socket.destroy()
      }
    }
  })

/** The first marks. Their number is bounded, because a program may start processes without end. */
const readMarks = (file: string): ReadonlyArray<Mark> => {
  try {
    return readFileSync(file, "utf8").split("\n", maxMarks).filter((line) => line !== "").map((line) =>
      JSON.parse(line) as Mark
    )
  } catch {
    return [] // No process has written a mark.
  }
}

/** Observes a connection. It counts as a process of the program from its first message on: other connections may send none. */
const observe = (
  socket: net.Socket,
  sources: Sources.Sources,
  introduce: (process: ObservedProcess) => (line: string) => void
): void => {
  const observation = Observation.make(sources)
  let record: ((line: string) => void) | undefined
  let rest = ""
  let connected = true
  let heardAt = performance.now()
  const process: ObservedProcess = {
    observation,
    ask: (request) => {
      if (connected && !socket.destroyed) socket.write(JSON.stringify(request) + "\n")
    },
    connected: () => connected,
    silentMs: () => performance.now() - heardAt
  }
  socket.setEncoding("utf8")
  socket.on("data", (chunk: string) => {
    heardAt = performance.now()
    const lines = (rest + chunk).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      try {
        const message = decodeMessage(JSON.parse(line))
        if (message === undefined) continue
        record ??= introduce(process)
        record(line)
        observation.take(message)
      } catch {
        // The line is incomplete because the process was killed, or it is from another program. It is ignored.
      }
    }
  })
  socket.on("close", () => connected = false)
  socket.on("error", () => connected = false)
}
