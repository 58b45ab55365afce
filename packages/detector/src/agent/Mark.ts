/**
 * The mark of a process: one line in a file of the run, which says that the agent was loaded there.
 *
 * A connection would say more, but a process that never loads Effect should not open one. Where no fiber is seen, the marks tell a
 * program without Effect from one into which the agent was never loaded.
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

/** Leaves the mark of this process, if it may write there. */
export const leaveMark = (file: string | undefined): void => {
  if (file === undefined) return
  try {
    const mark: Mark = { pid: process.pid, thread: threadId, argv: process.argv.slice(0, 4) }
    appendFileSync(file, JSON.stringify(mark) + "\n")
  } catch {
    // The permission model, a full disk, or a run that is over: one mark less.
  }
}
