/**
 * The mark of a process: one line in a file of the run, which shows that the agent was loaded into that process.
 *
 * A process that never loads Effect should not open a connection, so it leaves a mark instead. When no fiber is seen, the marks
 * distinguish a program without Effect from one into which the agent was never loaded.
 */
import { appendFileSync } from "node:fs"
import process from "node:process"
import { threadId } from "node:worker_threads"

/** One line of the file of marks. */
export interface Mark {
  readonly pid: number
  readonly thread: number
  readonly argv: ReadonlyArray<string>
}

/** Writes the mark of this process, if the file can be written. */
export const leaveMark = (file: string | undefined): void => {
  if (file === undefined) return
  try {
    const mark: Mark = { pid: process.pid, thread: threadId, argv: process.argv.slice(0, 4) }
    appendFileSync(file, JSON.stringify(mark) + "\n")
  } catch {
    // The permission model, a full disk, or a run that is over: the mark is missing, and nothing else fails.
  }
}
