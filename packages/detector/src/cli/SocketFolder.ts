/** The folder of the agents' socket: made for a run, removed with it, and removed by the next run when this one was killed. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

/** There is no folder for the socket. */
export class SocketFolderError extends Data.TaggedError("SocketFolderError")<{ readonly message: string }> {}

const prefix = "fiberscope-run-"

/** The name of the socket in its folder. */
export const socketName = "agents.sock"

/** Makes a folder that only its owner can read, until the scope ends. */
export const make: Effect.Effect<string, SocketFolderError, Scope.Scope> = Effect.acquireRelease(
  Effect.try({
    try: () => mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`)),
    catch: (error) =>
      new SocketFolderError({
        message: `cannot make a folder for the socket: ${error instanceof Error ? error.message : String(error)}`
      })
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Removes the folders of runs that were killed. Never fails: it is a courtesy. */
export const sweep: Effect.Effect<void> = Effect.suspend(() =>
  Effect.forEach(
    leftBehind(),
    (folder) =>
      Effect.flatMap(isDeaf(join(folder, socketName)), (deaf) =>
        Effect.sync(() => {
          try {
            if (deaf) rmSync(folder, { recursive: true, force: true })
          } catch {
            // It belongs to somebody else.
          }
        })),
    { discard: true }
  )
)

const leftBehind = (): ReadonlyArray<string> => {
  try {
    return readdirSync(tmpdir())
      .filter((name) => name.startsWith(prefix) && !isAlive(Number.parseInt(name.slice(prefix.length), 10)))
      .map((name) => join(tmpdir(), name))
  } catch {
    return []
  }
}

const isAlive = (pid: number): boolean => {
  if (!(pid > 0)) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"
  }
}

/**
 * Whether nobody listens at a socket. Containers that share a folder do not see each other's processes, so a process that seems dead
 * is not enough; and a folder without a socket is one that a run has just made.
 */
const isDeaf = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = net.connect(path)
    const done = (deaf: boolean) => {
      socket.destroy()
      resume(Effect.succeed(deaf))
    }
    socket.once("connect", () => done(false))
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"))
    return Effect.sync(() => socket.destroy())
  })
