/** Text of the program is only data in all outputs of the command line, and a recording is an untrusted file. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import * as Recording from "../../src/observation/Recording.ts"
import { columnsOf } from "../../src/report/Columns.ts"
import { cli, fiberscope, fixture, node } from "../support/Fiberscope.ts"
import type { Ended } from "../support/Fiberscope.ts"
import { controls } from "../support/hostile.ts"
import { observed } from "../support/simulate.ts"

const formats = ["pretty", "github", "markdown", "json"] as const
type Format = (typeof formats)[number]

let folder: string
let evil: Readonly<Record<Format, Ended>>
let many: Readonly<Record<Format, Ended>>
let odd: { readonly run: Ended; readonly again: Ended }
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fiberscope-untrusted-")) // They take their time and no more, so they run beside each other.
  ;[evil, many, odd] = await Promise.all([
    inEachFormat("evil-names.mjs"),
    inEachFormat("many-names.mjs"),
    readAgain("odd-answers.mjs", "4s")
  ])
  return () => rmSync(folder, { recursive: true, force: true })
}, 90_000)

/** Runs a program for some time, and makes its report again from its recording. */
const readAgain = async (name: string, time: string) => {
  const record = join(folder, `${name}.ndjson`)
  const run = await fiberscope(node(name), { report: false, flags: ["--for", time, "--record", record] })
  return { run, again: await cli("report", record) }
}

/** Runs a program once, and makes its report again in each format. */
const inEachFormat = async (name: string): Promise<Readonly<Record<Format, Ended>>> => {
  const record = join(folder, `${name}.ndjson`)
  const pretty = await fiberscope(node(name), { report: false, flags: ["--for", "17s", "--record", record] })
  const [github, markdown, json] = await Promise.all(
    (["github", "markdown", "json"] as const).map((format) => cli("report", record, "--format", format))
  )
  return { pretty, github: github!, markdown: markdown!, json: json! }
}

const kindsIn = (annotations: string, kind: string): number =>
  annotations.split("\n").filter((line) => line.startsWith(`::${kind} `)).length

describe("hostile names", () => {
  it("do not hide the leak: each format exits with its code", () => {
    for (const format of formats) assert.strictEqual(evil[format].code, 23, evil[format].stderr)
  })

  it("do not control a terminal or begin a command in a log", () => {
    for (const format of formats) assert.notMatch(evil[format].stderr, controls, format)
    for (const line of evil.pretty.stderr.split("\n")) {
      assert.notMatch(line, /^\s*::/)
      assert.isAtMost(columnsOf(line), 100, line)
    }
    assert.include(evil.pretty.stderr, "\\x1b[2J\\x1b[31mRED")
  })

  it("read the same in annotations and in Markdown as in the terminal", () => {
    for (const line of evil.github.stderr.trimEnd().split("\n")) assert.match(line, /^::(?:error|warning|notice) /)
    const page = evil.markdown.stderr
    assert.isBelow(page.length, 65_536)
    for (const part of ["[click](", "![img](", "<script", "@octocat", "http://", "\n## heading", "| a | b"]) {
      assert.notInclude(page, part)
    }
  })

  it("are complete in JSON, or cut at the fixed length", () => {
    const { findings } = JSON.parse(evil.json.stderr) as {
      readonly findings: ReadonlyArray<{ readonly site: { readonly name: string }; readonly fingerprint: string }>
    }
    assert.isAbove(findings.length, 0)
    for (const { fingerprint, site } of findings) {
      assert.isAtMost(site.name.length, 160)
      assert.isAtMost(fingerprint.length, 88)
    }
  })

  it("are accepted by the printed keys, copied unchanged", async () => {
    const keys = evil.pretty.stderr.split("\n").flatMap((line) => /^ +key {4}(.*)$/.exec(line)?.[1] ?? [])
    assert.isAbove(keys.length, 0)
    const file = join(folder, "accepted.json")
    const entries = keys.map((key) => `{ "fingerprint": "${key}", "reason": "known\\u001b[2J", "until": "2999-12-31" }`)
    writeFileSync(file, `[${entries.join(",\n")}]`)
    const again = await cli("report", join(folder, "evil-names.mjs.ndjson"), "--accepted", file)
    assert.strictEqual(again.stderr.match(/accepted until 2999-12-31/g)?.length, keys.length, again.stderr)
    assert.notMatch(again.stderr, controls)
  })
})

describe("thirty names at one line", () => {
  it("give a readable report of bounded length", () => {
    const { github, json, markdown, pretty } = many
    assert.strictEqual(pretty.code, 23, pretty.stderr)
    assert.isBelow(pretty.stderr.split("\n").length, 200)
    assert.isBelow(markdown.stderr.length, 65_536)
    for (const kind of ["error", "warning", "notice"]) assert.isBelow(kindsIn(github.stderr, kind), 10)
    const { findings } = JSON.parse(json.stderr) as { readonly findings: ReadonlyArray<unknown> }
    // There may be one finding or thirty. Those that are not shown are counted.
    if (findings.length > 15) assert.match(pretty.stderr, /and \d+ more leaks: --json <file> lists all/)
  })
})

describe("fiberscope report", { timeout: 60_000 }, () => {
  const assertRefused = (ended: Ended, message: RegExp) => {
    assert.strictEqual(ended.code, 125, ended.stderr)
    assert.strictEqual(ended.stdout.toString(), "")
    assert.match(ended.stderr, /^fiberscope: [^\n]*\n$/)
    assert.match(ended.stderr, message)
    assert.notMatch(ended.stderr, controls)
  }

  it("names the malformed line of a recording in one line", async () => {
    assertRefused(
      await cli("report", fixture("malformed.ndjson")),
      /malformed\.ndjson, line 3: Missing key at \["says"\]\["fibers"\]/
    )
  })

  it("refuses any file that is not a recording in one line", async () => {
    const lines = readFileSync(fixture("recording.ndjson"), "utf8").split("\n")
    const file = (name: string, content: string) => {
      const path = join(folder, name)
      writeFileSync(path, content)
      return path
    }
    const wrong: ReadonlyArray<readonly [path: string, message: RegExp]> = [
      [file("empty", ""), /is not a recording/],
      [file("text", "\u001b[2Jhello\n"), /is not a recording/],
      [file("bytes", "\u0000\ufffe".repeat(1000)), /is not a recording/],
      [file("deep", `${lines[0]}\n${"[".repeat(1e6)}${"]".repeat(1e6)}\n`), /line 2: expected a message/],
      [
        file("number", lines.join("\n").replace("\"heapUsed\":", "\"heapUsed\":1e999,\"x\":")),
        /line \d+: Expected a number/
      ],
      [file("cut\u001b[31m", `${lines[0]}\n{"process\n${lines[1]}\n`), /line 2: expected JSON/],
      [join(folder, "missing\n::error::x"), /cannot read .*ENOENT/],
      [folder, /cannot read .*EISDIR/]
    ]
    for (
      const ended of await Promise.all(
        wrong.map(async ([path, message]) => [await cli("report", path), message] as const)
      )
    ) {
      assertRefused(...ended)
    }
  })

  it("reads a recording that stops in the middle of its last line", async () => {
    const whole = readFileSync(fixture("recording.ndjson"), "utf8").trimEnd()
    const path = join(folder, "stopped.ndjson")
    writeFileSync(path, whole.slice(0, whole.length * 0.9))
    const ended = await cli("report", path)
    assert.include([0, 23], ended.code, ended.stderr)
    assert.match(ended.stderr, /^\nfiberscope {2}/)
  })

  it("reads the recording of a program whose node functions give odd answers", () => {
    const { again, run } = odd
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(again.code, 0, again.stderr)
    assert.match(again.stderr, /live fibers +[▁-█]+ +\d+ → \d{2,}/)
    assert.strictEqual(again.stderr, run.stderr, "with the sources that it had while it ran")
  })

  it("shows lines of sources below the folder of the program, and of no other file", async () => {
    const app = join(folder, "app")
    mkdirSync(app)
    const names = [
      "own.ts",
      "link.ts",
      "pipe.ts",
      "folder.ts",
      "outside.ts",
      "huge.ts",
      "/dev/zero",
      "/proc/self/environ",
      "secret"
    ]
    writeFileSync(join(app, "own.ts"), "a\nb\nshown below the folder\u001b[2J\n")
    for (const name of ["outside.ts", "secret"]) writeFileSync(join(folder, name), "1\n2\nsecret\n")
    writeFileSync(join(app, "secret"), "1\n2\nsecret\n")
    writeFileSync(join(app, "huge.ts"), "secret\n".repeat(3_000_000))
    symlinkSync(join(folder, "outside.ts"), join(app, "link.ts"))
    symlinkSync("/proc/self/environ", join(app, "environ.ts"))
    mkdirSync(join(app, "folder.ts"))
    if (process.platform !== "win32") execFileSync("mkfifo", [join(app, "pipe.ts")])
    const path = (name: string) =>
      name.startsWith("/") ? name : name === "outside.ts" ? join(folder, name) : join(app, name)
    const lines: Array<string> = []
    const writer = Recording.makeWriter((line) => lines.push(line))
    writer.head(["node", "app.mjs"])
    const sites = [...names, "environ.ts"].map((name) => ({ name, file: path(name), line: 3, column: 1 }))
    // Each file is in its own process with one leak, because a report shows excerpts for the first few findings only.
    for (const [i, site] of sites.entries()) {
      for (const message of observed(30, site, { cwd: app, pid: i + 1, each: sites.length - i })) {
        writer.said(i, JSON.stringify(message))
      }
    }
    const reports = await Promise.all(sites.map(async (_, i) => {
      const file = join(folder, `sources-${i}.ndjson`)
      writeFileSync(
        file,
        lines.filter((line) => line.startsWith("{\"fiberscope\"") || line.startsWith(`{"process":${i},`)).join("\n")
      )
      return cli("report", file)
    }))
    for (const [i, ended] of reports.entries()) {
      assert.strictEqual(ended.code, 23, ended.stderr)
      assert.notInclude(ended.stderr, "secret\n", names[i])
      assert.notInclude(ended.stderr, "PATH=")
      assert.notMatch(ended.stderr, controls)
      assert.strictEqual(/│/.test(ended.stderr), i === 0, `${names[i]}: ${ended.stderr}`)
    }
    assert.match(reports[0]!.stderr, /> 3 │ shown below the folder\\x1b\[2J\n/)
  })

  it("has the same flags for the report as fiberscope run", async () => {
    const recording = fixture("recording.ndjson")
    const json = join(folder, "again.json")
    const [other, quiet, short] = await Promise.all([
      cli("report", recording, "--error-exitcode", "7", "--json", json),
      cli("report", recording, "--quiet"),
      (async () => {
        const path = join(folder, "short.ndjson")
        writeFileSync(path, readFileSync(recording, "utf8").split("\n").slice(0, 20).join("\n"))
        return cli("report", path, "--strict")
      })()
    ])
    assert.strictEqual(other.code, 7, other.stderr)
    assert.strictEqual((JSON.parse(readFileSync(json, "utf8")) as { readonly verdict: string }).verdict, "leak")
    assert.deepStrictEqual([quiet.code, quiet.stderr], [23, ""])
    assert.strictEqual(short.code, 24, short.stderr)
  })
})
