/** The live view in real terminals, by tmux; where there is none the reason is printed. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { dirname } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { fixture } from "../support/Fiberscope.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

const tmux = (...args: ReadonlyArray<string>): string =>
  execFileSync("tmux", ["-L", "fiberscope-test", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })

const missing = (() => {
  try {
    tmux("-V")
    return undefined
  } catch {
    return "tmux is not installed"
  }
})()
if (missing !== undefined) console.log(`LiveView.test.ts is skipped: ${missing}`)

/** Runs the tool in a terminal of a size until the screen is as wished, and gives the screen. */
const screen = async (
  columns: number,
  rows: number,
  until: (text: string) => boolean,
  env = "",
  then?: (session: string) => Promise<string>,
  program = "leaks.mjs"
): Promise<string> => {
  const session = `s${columns}x${rows}${env.length}${program.length}`
  const command = `trap : INT; PATH=${
    dirname(process.execPath)
  }:$PATH ${env} ${process.execPath} ${main} run --for 20s -- ${process.execPath} ${
    fixture("leaks.mjs")
  }; sleep 20; sleep 20; sleep 20; sleep 20`
  tmux("new-session", "-d", "-s", session, "-x", String(columns), "-y", String(rows), command)
  try {
    for (let i = 0; i < 150; i++) {
      const text = tmux("capture-pane", "-p", "-t", session)
      if (until(text)) return then === undefined ? text : await then(session)
      await wait(100)
    }
    return tmux("capture-pane", "-p", "-t", session)
  } finally {
    tmux("kill-session", "-t", session)
  }
}

const numbersGone = (text: string): string => text.replaceAll(/[▁-█]+/g, "~").replaceAll(/\d+/g, "n").trimEnd()

describe.skipIf(missing !== undefined).concurrent("the live view", { timeout: 60_000 }, () => {
  const shown = (text: string) => /live fibers .*\d/.test(text) && /handle|watch/.test(text)

  it.for([[100, 30], [80, 24], [40, 18]] as const)(
    "fits a window of %d by %d, below the program's own output",
    async ([columns, rows]) => {
      const text = await screen(columns, rows, (one) => shown(one) && (columns < 60 || one.includes("oldest")))
      const lines = text.trimEnd().split("\n")
      assert.strictEqual(lines[0], "serving", "the program's own line is where it was")
      assert.match(text, /^fiberscope {2}\d+ of 20 s/m)
      assert.match(text, /live fibers [▁-█]/)
      assert.match(
        text,
        columns < 60 ? /\d+ {2}(?:handle|watch) \(/ : /\d+ {2}oldest \d+ s +[▁-█]+ {2}(?:handle|watch) \(/
      )
      assert.isTrue(lines.every((line) => line.length <= columns))
      assert.isAbove(lines.findIndex((line) => line.startsWith("───")), 5)
    }
  )

  it("is drawn anew when the window changes its size", async () => {
    const text = await screen(90, 28, shown, "", async (session) => {
      tmux("resize-window", "-t", session, "-x", "60", "-y", "20")
      await wait(2500)
      return tmux("capture-pane", "-p", "-t", session)
    })
    const rules = text.split("\n").filter((line) => /^─+$/.test(line))
    assert.strictEqual(rules.at(-1)!.length, 59)
    assert.match(text, /^fiberscope {2}\d+ of 20 s/m)
  })

  it("has no colours with NO_COLOR, and is not there in a dumb terminal", async () => {
    const plain = await screen(
      72,
      24,
      shown,
      "NO_COLOR=1",
      (session) => Promise.resolve(tmux("capture-pane", "-e", "-p", "-t", session))
    )
    assert.notInclude(plain, "\u001b[3")
    const dumb = await screen(72, 22, (text) => text.includes("serving"), "TERM=dumb", async (session) => {
      await wait(2500)
      return tmux("capture-pane", "-p", "-t", session)
    })
    assert.strictEqual(dumb.trim(), "serving")
  })

  it("ends with the report when Ctrl-C is pressed, which the program gets once, and with a kill at the third", async () => {
    const run = (name: string, ...presses: ReadonlyArray<string>) =>
      screen(90, 30, (text) => /live fibers/.test(text), "", async (session) => {
        for (const expected of presses) {
          tmux("send-keys", "-t", session, "C-c")
          for (let i = 0; i < 100 && !tmux("capture-pane", "-p", "-t", session).includes(expected); i++) await wait(100)
        }
        return tmux("capture-pane", "-p", "-S", "-200", "-t", session)
      }, name)
    const [polite, stubborn] = await Promise.all([
      run("leaks.mjs", "UNDECIDED"),
      run("interrupted.mjs", "SIGINT 1", "SIGINT 2", "UNDECIDED")
    ])
    assert.match(polite, /^fiberscope {2}UNDECIDED/m)
    assert.notInclude(stubborn, "SIGINT 3")
    assert.match(stubborn, /^fiberscope {2}UNDECIDED/m)
  })

  it("looks like this", async () => {
    const text = await screen(84, 24, (one) => shown(one) && /\d readings/.test(one) && one.includes("heap floor"))
    assert.match(
      numbersGone(text),
      /serving\n+─+\nfiberscope {2}n of n s {2}too early to tell: a leak shows after n s {2}n readings\n {2}live fibers ~ +n\n/
    )
  })
})
