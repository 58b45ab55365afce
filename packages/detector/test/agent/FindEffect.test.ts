/** Every fiber that ran is seen: the tool's count is compared with the program's own count. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { fiberscope, fixture, node, startedIn } from "../support/Fiberscope.ts"
import type { Run } from "../support/Fiberscope.ts"

const effectFolder = fileURLToPath(new URL("..", import.meta.resolve("effect")))
const effectVersion =
  (JSON.parse(readFileSync(join(effectFolder, "package.json"), "utf8")) as { version: string }).version

const assertAllSeen = (run: Run, processes = 1): void => {
  assert.strictEqual(run.code, 0, run.stderr)
  const ran = Number(run.stdout.toString())
  assert.isAbove(ran, 0)
  assert.strictEqual(startedIn(run), ran)
  assert.deepStrictEqual(run.report?.processes.map(({ effect }) => effect.length), Array(processes).fill(1))
  assert.deepStrictEqual(run.left, { files: [], processes: [] })
}

const write = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

describe.concurrent("FindEffect", { timeout: 60_000 }, () => {
  let folder: string
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "fiberscope-find-")))
    return () => rmSync(folder, { recursive: true, force: true })
  })

  it.for(["esm.mjs", "typed.ts", "commonjs.cjs"])(
    "sees every fiber of %s and the version of its effect",
    async (name) => {
      const run = await fiberscope(node(name))
      assertAllSeen(run)
      assert.deepStrictEqual(run.report?.versions.effect, [effectVersion])
    }
  )

  it("sees every fiber of a second copy of effect in another node_modules", async () => {
    const copy = join(folder, "copy/node_modules/effect")
    cpSync(effectFolder, copy, {
      recursive: true,
      dereference: true,
      filter: (file) => !/\.(?:ts|map|md)$/.test(file) && !/effect[\\/](?:src|ai-docs)$/.test(file)
    })
    const run = await fiberscope(node("two-copies.mjs", join(copy, "dist/index.js")))
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(startedIn(run), Number(run.stdout.toString()))
    assert.deepStrictEqual(run.report?.processes.map(({ effect }) => effect), [[effectVersion, effectVersion]])
  })

  it.for([["esm", "esm.mjs", "mjs"], ["cjs", "commonjs.cjs", "cjs"]] as const)(
    "sees every fiber of a minified %s bundle",
    async ([format, entry, extension]) => {
      const bundle = join(folder, `bundle.${extension}`)
      await build({
        entryPoints: [fixture(entry)],
        bundle: true,
        minify: true,
        platform: "node",
        format,
        outfile: bundle,
        logLevel: "silent"
      })
      assertAllSeen(await fiberscope([process.execPath, bundle]))
    }
  )

  it("sees every fiber of worker threads", async () => {
    const run = await fiberscope(node("workers.mjs"))
    assertAllSeen(run, 3)
    assert.deepStrictEqual(run.report?.processes.map(({ thread }) => thread).sort(), [0, 1, 2])
  })

  it("sees every fiber of forked children and their children", async () => {
    const run = await fiberscope(node("children.mjs"))
    assertAllSeen(run, 3)
    assert.strictEqual(new Set(run.report?.processes.map(({ pid }) => pid)).size, 3)
  })

  it("reports nothing about npm, which starts the program and never loads effect", async () => {
    const cwd = join(folder, "npm")
    write(
      join(cwd, "package.json"),
      JSON.stringify({ name: "a-program", scripts: { start: `node ${JSON.stringify(fixture("esm.mjs"))}` } })
    )
    const run = await fiberscope(["npm", "start", "--silent", "--no-update-notifier"], {
      cwd,
      env: { NODE_DISABLE_COMPILE_CACHE: "1" }
    })
    assertAllSeen(run)
    assert.strictEqual(run.recording.filter(({ type }) => type === "hello").length, 1)
  })

  it("sees every fiber of a program that replaced timers and clocks before it loaded effect", async () => {
    const run = await fiberscope(node("fake-clocks.mjs"))
    assertAllSeen(run)
    assert.isAtLeast(run.recording.filter(({ type }) => type === "tick").length, 2)
    assert.deepStrictEqual(run.report?.processes[0]?.problems, [])
  })

  it("sees every fiber of a program that exits before its event loop has turned once", async () => {
    assertAllSeen(await fiberscope(node("in-one-go.cjs")))
  })

  it.for(["esm", "cjs"])("reports that effect 3 (%s) cannot be observed", async (format) => {
    const cwd = join(folder, `three-${format}`)
    const library = join(cwd, "node_modules/effect")
    write(
      join(library, "package.json"),
      JSON.stringify({ name: "effect", version: "3.21.0", exports: `./dist/${format}/index.js` })
    )
    write(
      join(library, `dist/${format}/package.json`),
      JSON.stringify({ type: format === "esm" ? "module" : "commonjs" })
    )
    write(
      join(library, `dist/${format}/index.js`),
      format === "esm"
        ? `export * from "./internal/fiberRuntime.js"`
        : `module.exports = require("./internal/fiberRuntime.js")`
    )
    write(
      join(library, `dist/${format}/internal/fiberRuntime.js`),
      format === "esm" ? "export class FiberRuntime {}" : "exports.FiberRuntime = class FiberRuntime {}"
    )
    const main = join(cwd, format === "esm" ? "main.mjs" : "main.cjs")
    write(
      main,
      (format === "esm" ? `import { FiberRuntime } from "effect"` : `const { FiberRuntime } = require("effect")`)
        + "\nconsole.log(FiberRuntime.name)\n"
    )
    const run = await fiberscope([process.execPath, main])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(run.stdout.toString(), "FiberRuntime\n")
    assert.strictEqual(run.report?.verdict, "undecided")
    assert.match(run.report?.because ?? "", /^effect 3 at .* cannot be observed\. Fiberscope observes effect >=4/)
    assert.match(run.stderr, /UNDECIDED/)
    assert.match(run.stderr.replaceAll(/\s+/g, " "), /Fiberscope observes effect >=4/)
  })

  it("reports that there was nothing to observe in a program without effect", async () => {
    const run = await fiberscope(node("no-effect.mjs"))
    assert.strictEqual(run.code, 0)
    assert.strictEqual(run.stdout.toString(), "no fiber here\n")
    assert.strictEqual(run.report?.verdict, "undecided")
    assert.match(
      run.stderr.replaceAll(/\s+/g, " "),
      /the agent was loaded into `node \S+no-effect.mjs`, but effect was not loaded there/
    )
    assert.deepStrictEqual(run.recording, [])
  })
})
