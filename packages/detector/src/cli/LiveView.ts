/**
 * The live view in a terminal: the last lines of the screen are set apart, and the program keeps the rest.
 *
 * The program writes to the same terminal, and nothing of what it writes is touched. So its part of the screen is made the scrolling
 * region (DECSTBM), as package managers do for their progress, and the lines below are painted with the cursor saved and restored,
 * in one write. On a pipe, in a dumb terminal, and with `NO_COLOR` on a terminal too small, there is no view.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { writeSync } from "node:fs"
import process from "node:process"
import { renderLive } from "../report/Live.ts"
import type { LiveState } from "../report/Live.ts"
import { styleFor } from "../report/Style.ts"

const escape = "\u001b"
const save = `${escape}7`
const restore = `${escape}8`
const smallest = 12 // rows: below that the program needs them all

const paintEveryMs = 1000

/** Shows the state of a run until the scope ends. Answers whether there is a view. */
export const show = (state: () => LiveState): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (!process.stderr.isTTY || process.env["TERM"] === "dumb" || process.stderr.rows < smallest) return false
    const style = styleFor(true, process.env)
    let height = 0
    let rows = 0

    const reserve = (): void => {
      rows = process.stderr.rows
      height = Math.min(9, Math.floor(rows / 3))
      // Make room, then let only the lines above scroll; setting the region moves the cursor, so it is saved before.
      write(`${"\n".repeat(height)}${escape}[${height}A${save}${escape}[1;${rows - height}r${restore}`)
    }

    const clear = (): string =>
      Array.from({ length: height }, (_, i) => `${escape}[${rows - height + 1 + i};1H${escape}[2K`).join("")

    const paint = (): void => {
      const columns = process.stderr.columns
      const lines = renderLive(state(), { columns: columns - 1, rows: height - 1, style })
      const rule = style.faint("─".repeat(Math.max(1, columns - 1)))
      const painted = [rule, ...lines].map((line, i) => `${escape}[${rows - height + 1 + i};1H${line}`)
      write(`${save}${clear()}${painted.join("")}${restore}`)
    }

    const resized = (): void => {
      if (process.stderr.rows < smallest) return
      write(`${save}${escape}[r${clear()}${restore}`)
      reserve()
      paint()
    }

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        reserve()
        process.stderr.on("resize", resized)
      }),
      () =>
        Effect.sync(() => {
          process.stderr.off("resize", resized)
          write(`${save}${escape}[r${clear()}${restore}`)
        })
    )
    yield* Effect.forkScoped(Effect.repeat(Effect.sync(paint), Schedule.spaced(paintEveryMs)))
    return true
  })

const write = (text: string): void => {
  try {
    writeSync(2, text)
  } catch {
    // A terminal that has gone: the program goes on.
  }
}
