/** Where agents connect: a socket in a folder of its own, readable by its owner only, and one observation for each connection. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import net from "node:net"
import { join } from "node:path"
import type { Mark } from "../agent/Mark.ts"
import type { Request } from "../agent/Protocol.ts"
import * as Observation from "../observation/Observation.ts"
import { decodeMessage } from "../observation/RecordedMessage.ts"
import type { Writer } from "../observation/Recording.ts"
import * as Sources from "../places/Sources.ts"
import * as SocketFolder from "./SocketFolder.ts"

/** The socket for the agents cannot be made. */
export class AgentServerError extends Data.TaggedError("AgentServerError")<{ readonly message: string }> {}

/** An observed process (or worker thread). */
interface ObservedProcess {
  readonly observation: Observation.Observation
  readonly ask: (request: Request) => void
  readonly connected: () => boolean
}

/** Linux allows 107 bytes, others fewer. */
const longestPath = 100

const maxMarks = 1000

export interface AgentServer {
  readonly path: string
  /** The file for the marks of processes into which the agent was loaded. */
  readonly marksFile: string
  readonly marks: () => ReadonlyArray<Mark>
  readonly processes: () => ReadonlyArray<ObservedProcess>
  /** The text of a source of the program, if it may be read. */
  readonly source: (file: string) => string | undefined
  /** What is said from now on is said by a program that ends. */
  readonly freeze: () => void
  /** Closes every connection, so that agents that are still there end themselves. */
  readonly hangUp: () => void
}

/** Listens until the scope ends; then no socket and no folder is left. What is said goes to `recording` as it comes. */
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
                message: `no socket at ${path}: ${error.message}`
                  + (path.length > longestPath ? "; the path is too long, TMPDIR=/tmp has a shorter one" : "")
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
      marksFile,
      marks: () => readMarks(marksFile),
      processes: () => processes,
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

/** The first of the marks; a program that starts processes for ever leaves more than anybody reads. */
const readMarks = (file: string): ReadonlyArray<Mark> => {
  try {
    return readFileSync(file, "utf8").split("\n", maxMarks).filter((line) => line !== "").map((line) =>
      JSON.parse(line) as Mark
    )
  } catch {
    return [] // No process has left one.
  }
}

/** Whoever connects is a process of the program with its first words, and not before: others may only knock. */
const observe = (
  socket: net.Socket,
  sources: Sources.Sources,
  introduce: (process: ObservedProcess) => (line: string) => void
): void => {
  const observation = Observation.make(sources)
  let record: ((line: string) => void) | undefined
  let rest = ""
  let connected = true
  const process: ObservedProcess = {
    observation,
    ask: (request) => {
      if (connected && !socket.destroyed) socket.write(JSON.stringify(request) + "\n")
    },
    connected: () => connected
  }
  socket.setEncoding("utf8")
  socket.on("data", (chunk: string) => {
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
        // Half a line of a process that was killed, or somebody else's connection: there is nothing to learn from it.
      }
    }
  })
  socket.on("close", () => connected = false)
  socket.on("error", () => connected = false)
}
