/** Many ways to start a program, and difficult programs: each is observed and runs as if it was not. */
import { assert, describe, it } from "@effect/vitest"
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { cli, fiberscope, fixture, node, startedIn } from "../support/Fiberscope.ts"

const fibers = 10
const nodeModules = fileURLToPath(new URL("../../node_modules", import.meta.url))

const inProject = async <A>(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<A>
): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-ways-"))
  try {
    symlinkSync(nodeModules, join(folder, "node_modules"))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe.concurrent("fiberscope run", { timeout: 60_000 }, () => {
  it.for([["chdir", "served\n"], ["write", ""], ["stderr", "served\n"], ["clean", "served\n"]] as const)(
    "observes a program that does %s",
    async ([way, stdout]) => {
      const run = await fiberscope(node("service.mjs", way))
      assert.strictEqual(run.code, 0, run.stderr)
      assert.strictEqual(run.stdout.toString(), stdout)
      assert.strictEqual(startedIn(run), fibers)
      assert.deepStrictEqual(run.left.processes, [])
    }
  )

  it("observes the program of npm start, and not npm itself", () =>
    inProject(
      { "package.json": JSON.stringify({ scripts: { start: `node ${fixture("service.mjs")}` } }) },
      async (folder) => {
        const run = await fiberscope(["npm", "start", "--silent"], { cwd: folder })
        assert.strictEqual(run.code, 0, run.stderr)
        assert.strictEqual(startedIn(run), fibers)
        assert.strictEqual(run.report!.processes.length, 1)
      }
    ))

  it("observes the program of tsx, and not tsx itself", async () => {
    const run = await fiberscope([join(nodeModules, ".bin/tsx"), fixture("typed.ts")])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isAtLeast(startedIn(run)!, fibers)
    assert.deepStrictEqual(run.report!.processes.map(({ argv }) => argv.at(-1)), [fixture("typed.ts")])
  })

  it("observes npm run dev, and ends the watcher when the time is over", () =>
    inProject(
      { "package.json": JSON.stringify({ scripts: { dev: `tsx watch ${fixture("signals.mjs")}` } }) },
      async (folder) => {
        const run = await fiberscope(["npm", "run", "dev", "--silent"], { cwd: folder, flags: ["--for", "6s"] })
        assert.strictEqual(run.code, 0, run.stderr)
        assert.isAtLeast(startedIn(run)!, 1)
        assert.strictEqual(run.report!.processes.length, 1)
        assert.match(run.stdout.toString(), /ready\nSIGTERM 1/)
        assert.deepStrictEqual(run.left.processes, [])
        // Only the cache of tsx remains.
        assert.deepStrictEqual(run.left.files.filter((name) => name.startsWith("fiberscope")), [])
      }
    ))

  it("ends processes that a shell has started beside the program, even without an agent", async () => {
    const script = `"$0" -e "setInterval(() => {}, 1000)" & "$0" "$1"`
    const run = await fiberscope(["sh", "-c", script, process.execPath, fixture("signals.mjs")], {
      flags: ["--for", "4s"]
    })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(run.stdout.toString(), "ready\nSIGTERM 1\n")
    assert.deepStrictEqual(run.left, { files: [], processes: [] })
  })

  it("observes node --test", async () => {
    const run = await fiberscope([process.execPath, "--test", fixture("service.test.mjs")])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isAtLeast(startedIn(run)!, fibers)
    assert.strictEqual(run.report!.verdict, "ok")
    assert.match(run.report!.because, /^no fiber was alive at the end of 1 test file/)
  })

  it.for(["forks", "threads"])(
    "reports the live fibers at the end of each vitest file, with isolated %s",
    async (pool) => {
      const root = fileURLToPath(new URL("../fixtures/vitest", import.meta.url))
      const vitest = fileURLToPath(new URL("../../../../node_modules/vitest/vitest.mjs", import.meta.url))
      const run = await fiberscope([process.execPath, vitest, "run", "--root", root, "--pool", pool])
      assert.strictEqual(run.code, 0, run.stdout.toString() + run.stderr)
      const name = (path: string | undefined) => path?.split("/").at(-1)
      assert.deepStrictEqual(
        run.report!.tests!.map(({ file, left, sites, started }) => [
          name(file),
          started,
          left,
          ...sites.map(({ count, site }) => [count, site.name, name(site.file), site.line])
        ]),
        [["forgets.spec.mjs", 4, 3, [3, "forget", "forgets.spec.mjs", 4]], ["fibers.spec.mjs", 10, 0]]
      )
      assert.strictEqual(run.report!.verdict, "undecided")
      assert.match(run.stderr, /3 fibers were alive at the end of 1 of 2 test files/)
      assert.match(run.stderr, /3 of 4 fibers alive after \S*forgets\.spec\.mjs/)
    }
  )

  it("names a node that is too old for the agent", () =>
    // Node 18 and older exit with 9 for an option that they do not allow in NODE_OPTIONS.
    inProject({ "old-node": "#!/bin/sh\nexit 9\n" }, async (folder) => {
      chmodSync(join(folder, "old-node"), 0o755)
      const run = await fiberscope([join(folder, "old-node"), "app.mjs"])
      assert.strictEqual(run.code, 9)
      assert.match(run.stderr.replaceAll(/\s+/g, " "), /may be older than 20/)
    }))

  it("observes under the permission model, and reports what it may not do", async () => {
    const root = fileURLToPath(new URL("../../../..", import.meta.url))
    const run = await fiberscope([process.execPath, "--permission", `--allow-fs-read=${root}*`, fixture("service.mjs")])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(startedIn(run), fibers)
    assert.match(run.report!.processes[0]!.problems.join(), /samples: .*restricted/)
  })

  it("observes with frozen intrinsics", async () => {
    const run = await fiberscope([process.execPath, "--frozen-intrinsics", "--no-warnings", fixture("service.mjs")])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(startedIn(run), fibers)
  })

  it("ends as the program does when the program runs out of memory", async () => {
    const run = await fiberscope([process.execPath, "--max-old-space-size=40", fixture("service.mjs"), "memory"])
    assert.strictEqual(run.code, 134)
    assert.match(run.stderr, /heap out of memory/)
    assert.deepStrictEqual(run.left.processes, [])
  })

  it("reports a full disk: it ends with 125 without --json, and with a warning without --record", async ({ skip }) => {
    if (process.platform !== "linux") skip("there is no /dev/full")
    const run = await fiberscope(node("service.mjs"), { report: false, flags: ["--json", "/dev/full"] })
    assert.strictEqual(run.code, 125)
    assert.match(run.stderr, /cannot write \/dev\/full: .*ENOSPC/)
    const recorded = await fiberscope(node("service.mjs"), { report: false, flags: ["--record", "/dev/full"] })
    assert.strictEqual(recorded.code, 0)
    assert.match(recorded.stderr, /^fiberscope: the recording cannot be continued: .*ENOSPC/)
  })

  it("suggests the intended command or flag when one is mistyped", async () => {
    const [command, flag, value] = await Promise.all([
      cli("rnu"),
      cli("run", "--fro", "3s", "--", "node", "x"),
      cli("run", "--for", "soon", "--", "node", "x")
    ])
    const advice = "For help: fiberscope run --help\n"
    assert.strictEqual(
      command.stderr,
      "fiberscope: unknown command rnu; did you mean run?\nFor help: fiberscope --help\n"
    )
    assert.strictEqual(flag.stderr, `fiberscope: unknown flag --fro; did you mean --for?\n${advice}`)
    assert.match(value.stderr, /^fiberscope: --for soon: expected .*30s, 2m, 500ms\n/)
    for (const { code } of [command, flag, value]) assert.strictEqual(code, 64)
  })

  it.for([[[]], [["run"]], [["report"]]] as const)(
    "prints help for fiberscope %j, with examples and exit codes",
    async ([command]) => {
      const { code, stderr, stdout } = await cli(...command, "--help")
      const text = stdout.toString()
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(text, new RegExp(`USAGE\\n {2}fiberscope ${command[0] ?? "<subcommand>"}`))
      assert.match(text, new RegExp(`EXAMPLES\\n {2}# .+\\n {2}fiberscope ${command[0] ?? "run"} `))
      assert.match(text, /EXIT CODES[\s\S]* 23 +a leak was found/)
      if (command[0] === "run") assert.include(text, "fiberscope run [flags] -- <program...>\n")
    }
  )

  it.for(["bash", "zsh", "fish"])("completes commands and flags in %s", async (shell) => {
    const { code, stderr, stdout } = await cli("--completions", shell)
    assert.deepStrictEqual([code, stderr], [0, ""])
    for (const word of ["run", "report", "sites", "error-exitcode"]) assert.include(stdout.toString(), word)
  })
})

// The folder of Node is first on PATH, so that package scripts run the Node of these tests.
process.env["PATH"] = `${dirname(process.execPath)}:${process.env["PATH"]}`
