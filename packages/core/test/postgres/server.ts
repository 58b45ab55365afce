/** A PostgreSQL server of the test: it uses only its own directory and a socket in it. */
import { execFileSync, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Server {
  /** The directory of its socket. */
  readonly directory: string
  /** Starts it, and waits until it accepts connections. */
  readonly start: () => void
  /** `fast` aborts running queries; `immediate` is a crash, after which it recovers from its log. */
  readonly stop: (mode: "fast" | "immediate") => void
  /** Freezes the server and the given processes: they accept connections and answer nothing until they are thawed. */
  readonly freeze: (backends: ReadonlyArray<number>) => void
  readonly thaw: () => void
  readonly remove: () => void
}

/** PostgreSQL refuses to run as root: in that case it gets the ids of a user without any rights. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined

const run = (cwd: string, command: string, args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "pipe"], ...nobody })
}

/** A server that is initialised and not running yet, or the reason why there is none. */
export const makeServer = (): Server | string => {
  const found = spawnSync("postgres", ["--version"], { encoding: "utf8", ...nobody })
  if (found.status !== 0) return "there is no postgres on the PATH"
  const directory = mkdtempSync(join(tmpdir(), "fiberscope-pg-"))
  if (nobody !== undefined) chownSync(directory, nobody.uid, nobody.gid)
  const data = join(directory, "data")
  try {
    run(directory, "initdb", ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"])
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    return `initdb does not work here: ${String(error).split("\n")[0]}`
  }
  let frozen: ReadonlyArray<number> = []
  const options = `-k ${directory} -c listen_addresses='' -c max_connections=20`
  return {
    directory,
    start: () => run(directory, "pg_ctl", ["-D", data, "-w", "-l", join(directory, "log"), "-o", options, "start"]),
    stop: (mode) => run(directory, "pg_ctl", ["-D", data, "-w", "-m", mode, "stop"]),
    freeze: (backends) => {
      const [postmaster] = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")
      frozen = [Number(postmaster), ...backends]
      for (const pid of frozen) process.kill(pid, "SIGSTOP")
    },
    thaw: () => {
      for (const pid of frozen) process.kill(pid, "SIGCONT")
    },
    remove: () => rmSync(directory, { recursive: true, force: true })
  }
}
