/** The live view in real terminals, with tmux. Without tmux the tests are skipped and print the reason. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
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

/** Runs the tool in a terminal of a given size until the screen has the expected content, and returns the screen. */
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

  it("is drawn again when the window changes its size", async () => {
    const text = await screen(90, 28, shown, "", async (session) => {
      tmux("resize-window", "-t", session, "-x", "60", "-y", "20")
      await wait(2500)
      return tmux("capture-pane", "-p", "-t", session)
    })
    const rules = text.split("\n").filter((line) => /^─+$/.test(line))
    assert.strictEqual(rules.at(-1)!.length, 59)
    assert.match(text, /^fiberscope {2}\d+ of 20 s/m)
  })

  it("has no colours with NO_COLOR, and is not shown in a dumb terminal", async () => {
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

  it("ends with the report after one Ctrl-C, which the program gets once, and kills the program at the third", async () => {
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

  it("shows the state, the curves and the fork sites", async () => {
    const text = await screen(84, 24, (one) => shown(one) && /\d readings/.test(one) && one.includes("heap floor"))
    assert.match(
      numbersGone(text),
      /serving\n+─+\nfiberscope {2}n of n s {2}no verdict yet: a leak shows after n s {2}n readings\n {2}live fibers ~ +n\n/
    )
  })
})

describe.skipIf(missing !== undefined).concurrent("the terminal of a live view", { timeout: 60_000 }, () => {
  /** A shell with job control in a terminal, in which the tool runs as a person starts it. */
  const shell = async (
    name: string,
    env: string,
    then: (
      session: {
        readonly type: (keys: string) => void
        readonly text: () => string
        readonly kill: (signal: NodeJS.Signals) => void
      }
    ) => Promise<void>
  ): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-terminal-"))
    const script = join(folder, "start.sh")
    const pid = () => Number(readFileSync(join(folder, "pid"), "utf8"))
    writeFileSync(
      script,
      `echo $$ > ${folder}/pid\nPATH=${dirname(process.execPath)}:$PATH\n`
        + `${env} exec ${process.execPath} ${main} run --for 20s -- ${process.execPath} ${fixture("leaks.mjs")}\n`
    )
    tmux("new-session", "-d", "-s", name, "-x", "80", "-y", "24", "env PS1='$ ' sh -i")
    const text = () => tmux("capture-pane", "-p", "-t", name)
    const type = (keys: string) =>
      void tmux("send-keys", "-t", name, ...keys.startsWith("C-") ? [keys] : [keys, "Enter"])
    try {
      type(`sh ${script}`)
      await until(text, /live fibers/)
      await then({ type, text, kill: (signal) => process.kill(pid(), signal) })
    } finally {
      tmux("kill-session", "-t", name)
      try {
        process.kill(-pid(), "SIGKILL") // the program continues without the tool
      } catch {
        // The process has ended.
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }

  const until = async (text: () => string, expected: RegExp): Promise<string> => {
    for (let i = 0; i < 150 && !expected.test(text()); i++) await wait(100)
    assert.match(text(), expected)
    return text()
  }

  /** Checks that lines scroll over the whole screen, down to its last line, and that nothing of the view remains. */
  const assertUsable = async (
    { text, type }: { readonly text: () => string; readonly type: (keys: string) => void }
  ) => {
    type("seq 101 140")
    const lines = (await until(text, /^140\n\$ ?$/m)).trimEnd().split("\n")
    assert.deepStrictEqual(lines.slice(0, -1), Array.from({ length: 23 }, (_, i) => String(118 + i)))
    assert.strictEqual(lines.length, 24)
  }

  it.for(["SIGKILL", "SIGABRT", "SIGSEGV"] as const)("can be used after the tool was ended by %s", async (signal) => {
    await shell(`ended-${signal}`, "", async (session) => {
      session.kill(signal)
      await until(session.text, /(?:Killed|Aborted|Segmentation fault)[^]*\$/)
      await until(session.text, /^(?!.*───)/s)
      assert.notMatch(session.text(), /live fibers/)
      await assertUsable(session)
    })
  })

  it.for(["SIGTERM", "SIGHUP"] as const)(
    "can be used after the tool was ended by %s, with a report",
    async (signal) => {
      await shell(`asked-${signal}`, "", async (session) => {
        session.kill(signal)
        await until(session.text, /fiberscope 0\.1\.0\n\$/)
        await assertUsable(session)
      })
    }
  )

  it("can be used after the tool failed", async () => {
    const thrown = "if (process.argv[1]?.endsWith(\"main.ts\")) setTimeout(() => { throw new Error(\"defect\") }, 9000)"
    await shell(
      "failed",
      `NODE_OPTIONS='--import=data:text/javascript,${encodeURIComponent(thrown)}'`,
      async (session) => {
        await until(session.text, /Error: defect[^]*\n\$/)
        await assertUsable(session)
      }
    )
  })

  it("belongs to the shell while the tool is stopped or in the background, and shows the view again afterwards", async () => {
    await shell("stopped", "", async (session) => {
      session.type("C-z")
      await until(session.text, /Stopped[^]*\n\$/)
      await assertUsable(session)
      session.type("bg")
      await wait(2500)
      assert.notMatch(session.text(), /───|live fibers/)
      session.type("fg")
      const lines = (await until(session.text, /^fiberscope {2}\d+ of 20 s/m)).trimEnd().split("\n")
      assert.isAbove(lines.findIndex((line) => line.startsWith("───")), 10)
      session.type("C-\\")
      await until(session.text, /fiberscope 0\.1\.0\n\$/)
      await assertUsable(session)
    })
  })
})
