/** The folder of the agents' socket. A run removes it at its end; if the run was killed, the next run removes it. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

/** The folder for the socket cannot be made. */
export class SocketFolderError extends Data.TaggedError("SocketFolderError")<{ readonly message: string }> {}

const prefix = "fiberscope-run-"

/** The file name of the socket in its folder. */
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

/** Removes the folders of runs that were killed. It never fails. */
export const sweep: Effect.Effect<void> = Effect.suspend(() =>
  Effect.forEach(
    foldersOfDeadRuns(),
    (folder) =>
      Effect.flatMap(isUnused(join(folder, socketName)), (unused) =>
        Effect.sync(() => {
          try {
            if (unused) rmSync(folder, { recursive: true, force: true })
          } catch {
            // The folder belongs to another user.
          }
        })),
    { discard: true }
  )
)

const foldersOfDeadRuns = (): ReadonlyArray<string> => {
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
 * Whether no process listens at a socket. Containers that share a folder do not see each other's processes, so the pid alone does not
 * show it. A folder without a socket counts as used: a run has just made it.
 */
const isUnused = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = net.connect(path)
    const done = (unused: boolean) => {
      socket.destroy()
      resume(Effect.succeed(unused))
    }
    socket.once("connect", () => done(false))
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"))
    return Effect.sync(() => socket.destroy())
  })
