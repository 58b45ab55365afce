/** The processes that the suite has started: each is the head of a group, so whatever it has started ends with it. */
import type { ChildProcess } from "node:child_process"
import process from "node:process"

const running = new Set<ChildProcess>()

/** Remembers a process that was started `detached`, until it has ended. */
export const started = <Child extends ChildProcess>(child: Child): Child => {
  running.add(child)
  return child
}

/** Ends a process and its group. */
export const kill = (child: ChildProcess): void => {
  running.delete(child)
  // Without a process identifier it was never started.
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // The group is gone.
  }
}

/** Ends all that the suite has started. */
export const endAll = (): void => {
  for (const child of running) kill(child)
}
