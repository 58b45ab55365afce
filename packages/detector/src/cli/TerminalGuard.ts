/**
 * Puts the terminal in order when this process cannot: after SIGKILL, a crash, or for lack of memory.
 *
 * A shell reads a pipe whose other end only this process has. It keeps the last line that it has read, and writes it to the terminal
 * when the pipe is closed; an empty line means that there is nothing to do. It has a session of its own, so neither Ctrl-C nor a signal
 * to the group of this process ends it. It ends when this process ends.
 */
import { spawn } from "node:child_process"

export interface TerminalGuard {
  /** Sets the sequence that the guard writes if this process ends now; an empty one for none. Takes effect at once, also in an exit handler. */
  readonly onDeath: (sequence: string) => void
  readonly stop: () => void
}

const script = "s=; while IFS= read -r l; do s=$l; done; printf %b \"$s\" >&2"

/** Starts the guard of the terminal at stderr. A system without a shell has no guard. */
export const start = (): TerminalGuard => {
  const shell = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "inherit"], detached: true })
  const { stdin } = shell
  shell.on("error", () => {})
  stdin.on("error", () => {})
  shell.unref() // A pipe of node, which would keep the event loop alive.
  ;(stdin as { readonly unref?: () => void }).unref?.()
  return {
    onDeath: (sequence) => {
      // With three octal digits after the first 0, so that a digit which follows is not taken for one of them.
      if (stdin.writable) stdin.write(sequence.replaceAll("\u001b", "\\0033") + "\n")
    },
    stop: () => {
      if (stdin.writable) stdin.end("\n")
    }
  }
}
