/**
 * Resets the terminal when this process cannot do it: after SIGKILL, a crash, or running out of memory.
 *
 * A shell reads a pipe whose other end only this process has. The shell keeps the last line that it has read and writes it to the
 * terminal when the pipe is closed; an empty line means that there is nothing to do. The shell has its own session, so neither Ctrl-C
 * nor a signal to the group of this process ends it. It ends when this process ends.
 */
import { spawn } from "node:child_process"

export interface TerminalGuard {
  /** Sets the sequence to write if this process ends now; empty for none. It takes effect at once, also in an exit handler. */
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
  shell.unref() // neither the shell nor its pipe may keep the event loop alive
  ;(stdin as { readonly unref?: () => void }).unref?.()
  return {
    onDeath: (sequence) => {
      // The escape has three octal digits after the first 0, so a following digit is not read as part of it.
      if (stdin.writable) stdin.write(sequence.replaceAll("\u001b", "\\0033") + "\n")
    },
    stop: () => {
      if (stdin.writable) stdin.end("\n")
    }
  }
}
