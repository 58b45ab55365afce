/** `fiberscope heap` on snapshots of a program with a container of each kind. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { gzipSync } from "node:zlib"
import { columnsOf } from "../../src/report/Columns.ts"
import { HeapReport } from "../../src/report/heap/HeapReport.ts"
import { cli, fixture } from "../support/Fiberscope.ts"

const decode = Schema.decodeUnknownSync(HeapReport)

describe("fiberscope heap", { timeout: 60_000 }, () => {
  let folder: string
  let files: readonly [string, string, string]

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
    files = [join(folder, "1.heapsnapshot"), join(folder, "2.heapsnapshot"), join(folder, "3.heapsnapshot")]
    execFileSync(process.execPath, [fixture("heap-growth.mjs"), ...files])
    return () => rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  it("shows what grew between snapshots, what is gone, and the variables that keep the rest", async () => {
    const { code, stderr, stdout } = await cli("heap", files[2], files[0], files[1])
    const text = stdout.toString()
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    assert.match(text, /^fiberscope heap\n {2}[\d.]+ MB → [\d.]+ MB → [\d.]+ MB in /m)
    assert.match(text, /pending \(fixtures\/heap-growth\.mjs:8:7\) → Map → Request/)
    assert.include(text, "200 → 400 → 600 × Request")
    assert.include(text, "none of the first 200 gone")
    assert.include(text, "500 of the first 500 gone")
    assert.match(
      text.replaceAll(/\s+/g, " "),
      /_events → config → Array → function at fixtures\/heap-growth\.mjs:\d+:\d+/
    )
    for (const line of text.split("\n")) assert.isAtMost(columnsOf(line), 100, line)
  })

  it("shows what holds the memory of one snapshot, lists as one thing, and its classes", async () => {
    const report = decode(JSON.parse((await cli("heap", files[2], "--format", "json")).stdout.toString()))
    assert.isUndefined(report.growth)
    const held = (keeper: string) => report.held.find((one) => one.keeper === keeper)
    assert.deepStrictEqual(held("lastFailure")!.members, { name: "Error", count: 600 })
    assert.deepStrictEqual(held("pending")!.members, { name: "Request", count: 600 })
    assert.isAbove(held("readings")!.held, 600_000)
    const [snapshot] = report.snapshots
    assert.isAtMost(report.held.reduce((sum, one) => sum + one.held, 0), snapshot!.bytes)
    const requests = report.classes.find(({ name }) => name === "Request")
    assert.strictEqual(requests!.count, 600)
    assert.isAtLeast(requests!.retained, requests!.bytes)
    assert.isUndefined(report.strings)
  })

  it("writes the same as Markdown and as annotations, and all of it with --json", async () => {
    const json = join(folder, "report.json")
    const [markdown, github] = await Promise.all([
      cli("heap", files[2], files[0], "--format", "markdown", "--json", json),
      cli("heap", files[2], files[0], "--format", "github")
    ])
    assert.match(markdown!.stdout.toString(), /pending \(.*:8:7\) → Map → Request/)
    assert.include(markdown!.stdout.toString(), "200 → 600 × Request")
    assert.match(github!.stdout.toString(), /^::warning file=.*heap-growth\.mjs,line=\d+,/)
    const report = decode(JSON.parse(readFileSync(json, "utf8")))
    assert.isTrue(report.growth!.some(({ path }) => path.join(" → ") === "pending → Map → Request"))
  })

  it("reads a compressed snapshot from standard input", async () => {
    const packed = join(folder, "3.heapsnapshot.gz")
    writeFileSync(packed, gzipSync(readFileSync(files[2]), { level: 1 }))
    const shown = execFileSync(process.execPath, [fixture("../../src/cli/main.ts"), "heap", "-"], {
      input: readFileSync(packed),
      env: { ...process.env, NODE_OPTIONS: "" }
    }).toString()
    assert.strictEqual(shown, (await cli("heap", packed)).stdout.toString())
    assert.match(shown, /pending .*→ Map/)
  })

  it("shows contents of strings only if they are asked for", async () => {
    const formats = ["pretty", "json", "markdown", "github"]
    const silent = await Promise.all(formats.map((format) => cli("heap", files[2], files[0], "--format", format)))
    for (const { stdout } of silent) {
      // It is in strings, keys of a Map and of a dictionary.
      for (const part of ["password", "planted", "customer", "token_"]) assert.notInclude(stdout.toString(), part)
    }
    const asked = await cli("heap", files[2], "--strings")
    assert.include(asked.stdout.toString(), "longest strings")
  })

  it("shows the fibers of any program with Effect, and proves which of them nothing can resume", async () => {
    const file = join(folder, "waiting.heapsnapshot")
    execFileSync(process.execPath, [fixture("heap/waiting.mjs"), file, "numbers"])
    const [pretty, json] = await Promise.all([cli("heap", file), cli("heap", file, "--format", "json")])
    const report = decode(JSON.parse(json!.stdout.toString()))
    assert.isAtLeast(report.fibers.alive, 50)
    assert.isUndefined(report.undecided)
    assert.isAtLeast(report.blocked.length, 10)
    // The fibers of this program are named by what is true of them.
    for (const { site } of report.blocked) assert.match(site.name, /^blocked /)
    for (const { site } of report.heldFibers) assert.match(site.name, /^held /)
    const text = pretty!.stdout.toString()
    assert.include(text, "blocked forever: nothing in memory can resume them")
    assert.match(text, /1 × blocked on a deferred: waits for a Deferred/)
    for (const line of text.split("\n")) assert.isAtMost(columnsOf(line), 100, line)
  })

  it("says what is wrong with a file, and exits with 125", async () => {
    const other = join(folder, "other.json")
    writeFileSync(other, "{}")
    const [missing, wrong] = await Promise.all([cli("heap", join(folder, "missing")), cli("heap", other)])
    assert.strictEqual(missing!.code, 125)
    assert.match(missing!.stderr, /^fiberscope: cannot read the heap snapshot .*missing: ENOENT/)
    assert.strictEqual(wrong!.code, 125)
    assert.match(wrong!.stderr, /other\.json: it is not a heap snapshot\n$/)
  })
})
