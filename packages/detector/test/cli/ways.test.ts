/** Any way to start a program, and programs that make it hard: each is observed, and goes on as if nobody looked. */
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

  it("observes npm start: npm itself is silent, the program has its line", () =>
    inProject(
      { "package.json": JSON.stringify({ scripts: { start: `node ${fixture("service.mjs")}` } }) },
      async (folder) => {
        const run = await fiberscope(["npm", "start", "--silent"], { cwd: folder })
        assert.strictEqual(run.code, 0, run.stderr)
        assert.strictEqual(startedIn(run), fibers)
        assert.strictEqual(run.report!.processes.length, 1)
      }
    ))

  it("observes tsx, whose own process is silent", async () => {
    const run = await fiberscope([join(nodeModules, ".bin/tsx"), fixture("typed.ts")])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isAtLeast(startedIn(run)!, fibers)
    assert.deepStrictEqual(run.report!.processes.map(({ argv }) => argv.at(-1)), [fixture("typed.ts")])
  })

  it("observes npm run dev, and leaves no watcher behind when its time is over", () =>
    inProject(
      { "package.json": JSON.stringify({ scripts: { dev: `tsx watch ${fixture("signals.mjs")}` } }) },
      async (folder) => {
        const run = await fiberscope(["npm", "run", "dev", "--silent"], { cwd: folder, flags: ["--for", "6s"] })
        assert.strictEqual(run.code, 0, run.stderr)
        assert.isAtLeast(startedIn(run)!, 1)
        assert.strictEqual(run.report!.processes.length, 1)
        assert.match(run.stdout.toString(), /ready\nSIGTERM 1/)
        assert.deepStrictEqual(run.left.processes, [])
        // What is left is the cache of tsx.
        assert.deepStrictEqual(run.left.files.filter((name) => name.startsWith("fiberscope")), [])
      }
    ))

  it("ends what a shell has started beside the program, though no agent speaks for it", async () => {
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
    assert.match(run.report!.because, /^no fiber was left at the end of 1 test file/)
  })

  it.for(["forks", "threads"])("tells what each file of vitest left behind, with isolated %s", async (pool) => {
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
    assert.match(run.stderr, /3 fibers were left at the end of 1 of 2 test files/)
    assert.match(run.stderr, /3 of 4 fibers left by \S*forgets\.spec\.mjs/)
  })

  it("names a node that is too old for the agent", () =>
    // Node 18 and older end with 9 at an option that they do not allow in NODE_OPTIONS.
    inProject({ "old-node": "#!/bin/sh\nexit 9\n" }, async (folder) => {
      chmodSync(join(folder, "old-node"), 0o755)
      const run = await fiberscope([join(folder, "old-node"), "app.mjs"])
      assert.strictEqual(run.code, 9)
      assert.match(run.stderr.replaceAll(/\s+/g, " "), /may be older than 20/)
    }))

  it("observes under the permission model, and says what it may not do", async () => {
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

  it("gives the program's end when it runs out of memory", async () => {
    const run = await fiberscope([process.execPath, "--max-old-space-size=40", fixture("service.mjs"), "memory"])
    assert.strictEqual(run.code, 134)
    assert.match(run.stderr, /heap out of memory/)
    assert.deepStrictEqual(run.left.processes, [])
  })

  it("says when the disk is full: 125 without a report, no more than a word without a recording", async ({ skip }) => {
    if (process.platform !== "linux") skip("there is no /dev/full")
    const run = await fiberscope(node("service.mjs"), { report: false, flags: ["--json", "/dev/full"] })
    assert.strictEqual(run.code, 125)
    assert.match(run.stderr, /cannot write \/dev\/full: .*ENOSPC/)
    const recorded = await fiberscope(node("service.mjs"), { report: false, flags: ["--record", "/dev/full"] })
    assert.strictEqual(recorded.code, 0)
    assert.match(recorded.stderr, /^fiberscope: the recording stops here: .*ENOSPC/)
  })

  it("says what was meant when a word is wrong", async () => {
    const [command, flag, value] = await Promise.all([
      cli("rnu"),
      cli("run", "--fro", "3s", "--", "node", "x"),
      cli("run", "--for", "soon", "--", "node", "x")
    ])
    const advice = "fiberscope run --help explains it.\n"
    assert.strictEqual(
      command.stderr,
      "fiberscope: there is no command rnu; did you mean run?\nfiberscope --help explains it.\n"
    )
    assert.strictEqual(flag.stderr, `fiberscope: there is no flag --fro; did you mean --for?\n${advice}`)
    assert.match(value.stderr, /^fiberscope: --for soon: expected .*30s, 2m, 500ms\n/)
    for (const { code } of [command, flag, value]) assert.strictEqual(code, 64)
  })

  it.for([[[]], [["run"]], [["report"]]] as const)(
    "explains fiberscope %j, with examples and exit codes",
    async ([command]) => {
      const { code, stderr, stdout } = await cli(...command, "--help")
      const text = stdout.toString()
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(text, new RegExp(`USAGE\\n {2}fiberscope ${command[0] ?? "<subcommand>"}`))
      assert.match(text, new RegExp(`EXAMPLES\\n {2}# .+\\n {2}fiberscope ${command[0] ?? "run"} `))
      assert.match(text, /EXIT CODES[\s\S]* 23 +a leak found/)
      if (command[0] === "run") assert.include(text, "fiberscope run [flags] -- <program...>\n")
    }
  )

  it.for(["bash", "zsh", "fish"])("completes commands and flags in %s", async (shell) => {
    const { code, stderr, stdout } = await cli("--completions", shell)
    assert.deepStrictEqual([code, stderr], [0, ""])
    for (const word of ["run", "report", "sites", "error-exitcode"]) assert.include(stdout.toString(), word)
  })
})

// The folder of Node is first on PATH, so that `node` of a package script is the one of these tests.
process.env["PATH"] = `${dirname(process.execPath)}:${process.env["PATH"]}`
