/**
 * The live view in a terminal: it uses the last lines of the screen, and the program keeps the rest.
 *
 * The program writes to the same terminal, and its output is not changed. So its part of the screen becomes the scrolling region
 * (DECSTBM), as package managers do for their progress. The lines below are painted in one write, with the cursor saved and restored.
 * There is no view on a pipe, in a dumb terminal, or in a terminal that is too small.
 *
 * The region is a state of the terminal, so it is undone whenever a view ends: with its scope, when the process exits, while it is
 * stopped by Ctrl-Z or runs in the background, and, by a guard, when it is killed.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { readFileSync, writeSync } from "node:fs"
import process from "node:process"
import { renderLive } from "../report/Live.ts"
import type { LiveState } from "../report/Live.ts"
import { styleFor } from "../report/Style.ts"
import * as TerminalGuard from "./TerminalGuard.ts"

const escape = "\u001b"
const save = `${escape}7`
const restore = `${escape}8`
const smallest = 12 // rows: in a smaller terminal the program needs all of them

const paintEveryMs = 1000

/** Shows the state of a run until the scope ends. Answers whether there is a view. */
export const show = (state: () => LiveState): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (!process.stderr.isTTY || process.env["TERM"] === "dumb" || process.stderr.rows < smallest) return false
    const style = styleFor(true, process.env)
    const guard = TerminalGuard.start()
    let height = 0
    let rows = 0
    let shown = false

    const clear = (): string =>
      Array.from({ length: height }, (_, i) => `${escape}[${rows - height + 1 + i};1H${escape}[2K`).join("")

    const undo = (): string => `${save}${escape}[r${clear()}${restore}`

    const reserve = (): void => {
      rows = process.stderr.rows
      height = Math.min(9, Math.floor(rows / 3))
      shown = true
      guard.onDeath(undo())
      // Makes room, then lets only the lines above scroll. Setting the region moves the cursor, so it is saved before.
      write(`${"\n".repeat(height)}${escape}[${height}A${save}${escape}[1;${rows - height}r${restore}`)
    }

    const remove = (): void => {
      if (!shown) return
      shown = false
      write(undo())
      guard.onDeath("")
    }

    const paint = (): void => {
      if (!isForeground()) return remove()
      if (process.stderr.rows < smallest) return remove()
      if (!shown) reserve()
      const columns = process.stderr.columns
      const lines = renderLive(state(), { columns: columns - 1, rows: height - 1, style })
      const rule = style.faint("─".repeat(Math.max(1, columns - 1)))
      const painted = [rule, ...lines].map((line, i) => `${escape}[${rows - height + 1 + i};1H${line}`)
      write(`${save}${clear()}${painted.join("")}${restore}`)
    }

    const resized = (): void => {
      remove()
      paint()
    }

    // Ctrl-Z stops the program too. The region is removed before, so the shell has the whole terminal.
    const suspended = (): void => {
      remove()
      process.kill(process.pid, "SIGSTOP")
    }

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        process.stderr.on("resize", resized)
        process.on("exit", remove)
        process.on("SIGTSTP", suspended)
        process.on("SIGCONT", paint)
        paint()
      }),
      () =>
        Effect.sync(() => {
          process.stderr.off("resize", resized)
          process.off("exit", remove)
          process.off("SIGTSTP", suspended)
          process.off("SIGCONT", paint)
          remove()
          guard.stop()
        })
    )
    yield* Effect.forkScoped(Effect.repeat(Effect.sync(paint), Schedule.spaced(paintEveryMs)))
    return true
  })

/** Whether this process is in the foreground group of the terminal; `true` if the system does not show it. */
const isForeground = (): boolean => {
  try {
    // pid (name) state ppid pgrp session tty_nr tpgid …, and the name may contain anything
    const [, , pgrp, , , foreground] = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)!.split(" ")
    return pgrp === foreground || foreground === "-1"
  } catch {
    return true
  }
}

const write = (text: string): void => {
  try {
    writeSync(2, text)
  } catch {
    // The terminal is closed. The run continues.
  }
}
