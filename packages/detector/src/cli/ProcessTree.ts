/**
 * The descendants of a program's processes. Watchers and shells are among them, which never load the agent and may not end with the
 * program.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import process from "node:process"
import type { Runtime } from "./WhyUnseen.ts"

/** A process. `born` distinguishes it from a later process with the same pid, on systems that show it. */
export interface Member {
  readonly pid: number
  readonly born: string
}

interface Entry extends Member {
  readonly parent: number
}

/** These processes and all their descendants that exist now. */
export const families = (roots: Iterable<number>): ReadonlyArray<Member> => {
  const entries = list()
  const found = new Set(roots)
  // A child may come before its parent in the list, so the list is read until no process is added.
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const { parent, pid } of entries) if (found.has(parent)) found.add(pid)
  }
  return entries.filter(({ pid }) => found.has(pid))
}

/** Whether a process still exists. A zombie does not count. */
export const isThere = ({ born, pid }: Member): boolean =>
  process.platform === "linux" ? read(pid)?.born === born : signal({ pid, born }, 0)

/** Sends a signal, and answers whether the process existed. */
export const signal = ({ pid }: Member, name: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/** The node, Bun and Deno processes among a process and its descendants. Empty on systems other than Linux. */
export const runtimes = (root: number): ReadonlyArray<Runtime> =>
  process.platform !== "linux" ? [] : families([root]).flatMap(({ pid }) => runtimeOf(pid) ?? [])

const runtimeOf = (pid: number): Runtime | undefined => {
  try {
    const name = readlinkSync(`/proc/${pid}/exe`).split("/").at(-1)
    if (name !== "node" && name !== "bun" && name !== "deno") return undefined
    const options = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").find((one) =>
      one.startsWith("NODE_OPTIONS=")
    )
    return { pid, name, hasAgent: options?.includes("agent/register.") === true }
  } catch {
    return undefined // It has ended, or belongs to another user.
  }
}

const list = (): ReadonlyArray<Entry> => {
  try {
    return process.platform === "linux"
      ? readdirSync("/proc").map(Number).filter(Number.isInteger).flatMap((pid) => read(pid) ?? [])
      : process.platform === "win32"
      ? []
      : execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n").map((line) => {
        const [pid, parent] = line.trim().split(/\s+/).map(Number)
        return { pid: pid!, parent: parent!, born: "" }
      })
  } catch {
    return []
  }
}

const read = (pid: number): Entry | undefined => {
  try {
    // pid (name) state ppid …, and the name may contain anything; the start time is the 22nd field
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")
    return fields[0] === "Z" || fields[0] === "X" ? undefined : { pid, parent: Number(fields[1]), born: fields[19]! }
  } catch {
    return undefined
  }
}
