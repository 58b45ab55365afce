/** `fiberscope run` as its users see it: the program's input, output and end, and the errors of a run that cannot start. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { alone, cli, fiberscope, node, observe, start } from "../support/Fiberscope.ts"
import type { Ended } from "../support/Fiberscope.ts"

const nothing = { files: [], processes: [] }

/** The exit code that a shell gives for the end of a program. */
const codeOf = ({ code, signal }: Ended): number => code ?? 128 + constants.signals[signal!]

const text = (ended: Ended): string => ended.stderr.replaceAll(/\s+/g, " ")

describe.concurrent("fiberscope run", { timeout: 60_000 }, () => {
  describe("the end of the program", () => {
    it.for(
      [
        ["by itself", 0],
        ["with code 3", 3],
        ["with process.exitCode", 4],
        ["with an uncaught exception", 1],
        ["with an unhandled rejection", 1],
        ["on a port that is taken", 1],
        ["with a code that an exit handler chose", 5],
        ["in an exit handler", 6],
        ["by SIGSEGV", 139],
        ["by SIGKILL", 137],
        ["by SIGTERM", 143]
      ] as const
    )("is the end of the tool, when it ends %s", async ([way, code]) => {
      const [observed, untracked] = await Promise.all([fiberscope(node("ends.mjs", way)), alone(node("ends.mjs", way))])
      assert.strictEqual(codeOf(untracked), code)
      assert.strictEqual(observed.code, code)
      assert.deepStrictEqual(observed.stdout, untracked.stdout)
      assert.include(observed.stderr, untracked.stderr, "the program's own words")
      assert.strictEqual(observed.report?.program.code, untracked.code ?? undefined)
      assert.strictEqual(observed.report?.program.signal, untracked.signal ?? undefined)
      assert.deepStrictEqual(observed.left, nothing)
    })
  })

  it("passes input and output on, byte by byte", async () => {
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255)
    const run = await fiberscope(node("echo.mjs"), { stdin: bytes })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isTrue(run.stdout.equals(bytes))
  })

  it.for(["ten", "any"])("lets a program have %s listeners of its own for exit", async (many) => {
    const [observed, untracked] = await Promise.all([
      fiberscope(node("listeners.mjs", many), { flags: ["--quiet"] }),
      alone(node("listeners.mjs", many))
    ])
    assert.deepStrictEqual([observed.code, observed.stdout, observed.stderr], [0, untracked.stdout, untracked.stderr])
  })

  it("writes its report file and keeps its exit code when stderr is closed", async () => {
    const program = observe(node("ends.mjs", "with code 3"))
    program.child.stderr!.destroy()
    const run = await program.done
    assert.strictEqual(run.code, 3)
    assert.strictEqual(run.report?.verdict, "undecided")
    assert.deepStrictEqual(run.left, nothing)
  })

  it("ends as the program does when stdout is closed", async () => {
    const ends = [observe(node("echo.mjs")), start(node("echo.mjs"))].map((program) => {
      program.child.stdout!.destroy()
      program.child.stdin!.end(new Uint8Array(1_000_000))
      return program.done
    })
    const [observed, untracked] = await Promise.all(ends)
    assert.strictEqual(observed!.code, codeOf(untracked!))
    assert.match(observed!.stderr, /EPIPE/)
  })

  describe("signals", () => {
    it("reach the program once each, and the program decides when to end", async () => {
      const program = observe(node("signals.mjs"))
      await program.printed("ready")
      const sent: Array<string> = []
      for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGINT"] as const) {
        sent.push(signal)
        program.child.kill(signal)
        await program.printed(`${signal} ${sent.filter((one) => one === signal).length}`)
      }
      program.child.kill("SIGTERM")
      const run = await program.done
      assert.deepStrictEqual(run.stdout.toString().trim().split("\n"), [
        "ready",
        "SIGHUP 1",
        "SIGINT 1",
        "SIGQUIT 1",
        "SIGUSR2 1",
        "SIGINT 2",
        "SIGTERM 1"
      ])
      assert.strictEqual(run.code, 7)
      assert.deepStrictEqual(run.left, nothing)
    })

    it("end the tool with the exit code that a shell would give when they end the program", async () => {
      const program = observe(node("patient.mjs"))
      await program.printed("ready")
      program.child.kill("SIGINT")
      const run = await program.done
      assert.strictEqual(run.code, 130)
      assert.strictEqual(run.report?.program.signal, "SIGINT")
      assert.deepStrictEqual(run.left, nothing)
    })
  })

  describe("--for", () => {
    it("asks the program to end, and the program's exit code is not a failure", async () => {
      const run = await fiberscope(node("signals.mjs"), { flags: ["--for", "4s"] })
      assert.strictEqual(run.code, 0)
      assert.strictEqual(run.stdout.toString(), "ready\nSIGTERM 1\n")
      assert.deepStrictEqual(run.report?.program.stoppedByTool, true)
      assert.deepStrictEqual(run.left, nothing)
    })

    it("kills a program that ignores SIGTERM, and reports it", async () => {
      const run = await fiberscope(node("signals.mjs", "stubborn"), { flags: ["--for", "4s", "--strict"] })
      assert.strictEqual(run.code, 24)
      assert.strictEqual(run.stdout.toString(), "ready\nSIGTERM 1\n")
      assert.include(run.stderr, "the program did not end in time after SIGTERM and was killed")
      const { code, signal, stoppedByTool } = run.report!.program
      assert.deepStrictEqual({ code, signal, stoppedByTool }, {
        code: undefined,
        signal: "SIGKILL",
        stoppedByTool: true
      })
      assert.deepStrictEqual(run.left, nothing)
    })
  })

  describe("a tool that was killed", () => {
    it("has its folder removed by the next run, which keeps folders that are in use", async () => {
      const folder = mkdtempSync(join(tmpdir(), "fiberscope-swept-"))
      const other = join(folder, "fiberscope-run-of-somebody-else")
      try {
        mkdirSync(other)
        const env = { TMPDIR: folder }
        const [killed, going] = [observe(node("signals.mjs"), { env }), observe(node("signals.mjs"), { env })]
        await Promise.all([killed.printed("ready"), going.printed("ready")])
        assert.strictEqual(readdirSync(folder).length, 3)
        process.kill(killed.child.pid!, "SIGKILL")
        // The program continues without the tool, so the test has to end it.
        process.kill(-killed.child.pid!, "SIGTERM")
        await killed.done
        assert.strictEqual(readdirSync(folder).length, 3)
        assert.strictEqual((await fiberscope(node("service.mjs"), { env })).code, 0)
        assert.strictEqual(readdirSync(folder).length, 2)
        going.child.kill("SIGTERM")
        const { code, report } = await going.done
        assert.strictEqual(code, 7)
        assert.strictEqual(report?.processes.length, 1)
        assert.deepStrictEqual(readdirSync(folder), ["fiberscope-run-of-somebody-else"])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
  })

  describe("a run that cannot start", () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "fiberscope-run-"))
      return () => rmSync(folder, { recursive: true, force: true })
    })

    it("ends with 127 when there is no such command", async () => {
      const run = await fiberscope(["there-is-no-such-command"])
      assert.strictEqual(run.code, 127)
      assert.match(run.stderr, /^fiberscope: there-is-no-such-command: command not found\n$/)
      assert.deepStrictEqual(run.left, nothing)
    })

    it("ends with 126 when the program cannot be executed", async () => {
      const file = join(folder, "text.txt")
      writeFileSync(file, "no program\n")
      const run = await fiberscope([file])
      assert.strictEqual(run.code, 126)
      assert.match(run.stderr, /not executable/)
      assert.deepStrictEqual(run.left, nothing)
    })

    it.for(
      [
        [["run", "--nope", "--", "node"], "unknown flag --nope\n"],
        [["run"], "missing program"],
        [["run", "--for", "a while", "--", "node"], "--for a while: expected a duration"],
        [["run", "--for"], "--for needs a value"],
        [
          ["run", "--sampling", "often", "--", "node"],
          "--sampling often: expected a string representing a finite number"
        ],
        [["run", "--format", "html", "--", "node"], "--format html: expected \"pretty\" | "],
        [["run", "app.mjs", "--inspect"], "unknown flag --inspect\nPut the program and its flags after --"],
        ...["0", "256", "-1"].map((code) =>
          [
            ["run", `--error-exitcode=${code}`, "--", "node"],
            `--error-exitcode ${code}: expected an exit code from 1 to 255`
          ] as const
        ),
        [["run", "--error-exitcode", "1.5", "--", "node"], "--error-exitcode 1.5: expected an integer"],
        [["report", "x.ndjson", "--error-exitcode", "256"], "--error-exitcode 256: expected an exit code"],
        [["run", "--sampling=-1", "--", "node"], "--sampling -1: expected a whole number of bytes"],
        [["run", "--sampling", "1e99", "--", "node"], "--sampling 1e99: expected an integer"],
        ...["0", "0s", "-1s", "NaN", "Infinity", "1e99", "99999999h", "0.0001ms", ""].map((time) =>
          [
            ["run", `--for=${time}`, "--", "node"],
            time === "" ? "--for needs a value" : `--for ${time}: expected a duration`
          ] as const
        ),
        [["report"], "missing argument <recording>"],
        [["report", "x.ndjson", "--formt", "json"], "unknown flag --formt; did you mean --format?"],
        [["report", "x.ndjson", "y.ndjson"], "Unexpected positional argument"],
        [["run", "--\u001b[2J\n::error::x", "--", "node"], "unknown flag --\\x1b[2J"],
        [["walk"], "unknown command walk\nTo observe a program: fiberscope run -- walk\n"]
      ] as const
    )("ends with 64 and at most three lines for wrong arguments: %j", async ([args, advice]) => {
      const ended = await cli(...args)
      assert.strictEqual(ended.code, 64)
      assert.strictEqual(ended.stdout.toString(), "")
      assert.isTrue(ended.stderr.startsWith(`fiberscope: ${advice}`), ended.stderr)
      assert.isAtMost(ended.stderr.trim().split("\n").length, 3)
    })

    it("ends with 125 when it cannot make its socket, and suggests a folder", async () => {
      const long = join(folder, "long".repeat(30))
      mkdirSync(long)
      const [missing, tooLong] = await Promise.all([
        fiberscope(node("service.mjs"), { report: false, env: { TMPDIR: join(folder, "missing") } }),
        fiberscope(node("service.mjs"), { report: false, env: { TMPDIR: long } })
      ])
      assert.deepStrictEqual([missing.code, tooLong.code], [125, 125])
      assert.match(missing.stderr, /^fiberscope: cannot make a folder for the socket: ENOENT/)
      assert.match(
        tooLong.stderr,
        /^fiberscope: cannot listen at the socket .*EINVAL.*; the path is too long, set TMPDIR=\/tmp/
      )
      assert.deepStrictEqual(readdirSync(long), [])
    })

    it.for(["--json", "--record"])(
      "ends with 125 before the program starts when %s cannot be written",
      async (flag) => {
        const witness = join(folder, `started-${flag}`)
        const started = `require("fs").writeFileSync(${JSON.stringify(witness)}, "")`
        const run = await fiberscope([process.execPath, "-e", started], {
          report: false,
          flags: [flag, join(folder, "no/such/folder/file")]
        })
        assert.strictEqual(run.code, 125)
        assert.match(text(run), /^fiberscope: cannot write .*no\/such\/folder\/file: ENOENT/)
        assert.isFalse(existsSync(witness))
        assert.deepStrictEqual(run.left, nothing)
      }
    )
  })
})
