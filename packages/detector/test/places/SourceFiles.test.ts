/** The files that are read because a program or a recording names them. Files that must not be read have source extensions here. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import * as SourceFiles from "../../src/places/SourceFiles.ts"
import * as Sources from "../../src/places/Sources.ts"

let folder: string
const at = (...parts: ReadonlyArray<string>) => join(folder, ...parts)
const write = (file: string, text = "source") => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "fiberscope-sources-")))
  write(at("app/src/main.ts"))
  write(at("app/secret"), "secret")
  write(at("outside/secret.ts"), "secret")
  symlinkSync(at("outside/secret.ts"), at("app/src/link.ts"))
  symlinkSync(at("outside"), at("app/src/linked"))
  symlinkSync(at("app/secret"), at("app/src/named.ts"))
  symlinkSync(at("app/src/main.ts"), at("app/src/inside.ts"))
  mkdirSync(at("app/folder.ts"))
  truncateSync(write(at("app/huge.ts")), 16 * 1024 * 1024 + 1)
  truncateSync(write(at("app/large.ts")), 16 * 1024 * 1024)
  if (process.platform !== "win32") execFileSync("mkfifo", [at("app/pipe.ts")])
  return () => rmSync(folder, { recursive: true, force: true })
})

const of = (trust: "running" | "recorded", cwd: string, main?: string) => {
  const files = SourceFiles.make(trust)
  files.met({ cwd, argv: ["node", ...main === undefined ? [] : [main]] })
  return files
}

const withSources = (trust: "running" | "recorded") => {
  it("reads regular files below the working folder, and links that stay inside it", () => {
    const { read } = of(trust, at("app"))
    for (const file of ["app/src/main.ts", "app/src/inside.ts", "app/src/../src/main.ts"]) {
      assert.strictEqual(read(`${folder}/${file}`), "source", file)
    }
    assert.strictEqual(read(at("app/large.ts"))?.length, 16 * 1024 * 1024)
  })

  it("reads no links out of the folder, pipes, folders, huge files, or files without a source extension", () => {
    const { read } = of(trust, at("app"))
    for (
      const file of [
        at("app/src/link.ts"),
        at("app/src/linked/secret.ts"),
        `${folder}/app/src/../../outside/secret.ts`,
        at("outside/secret.ts"),
        at("app/src/named.ts"),
        at("app/secret"),
        at("app/folder.ts"),
        at("app/huge.ts"),
        at("app/pipe.ts"),
        at("app/gone.ts"),
        "src/main.ts",
        "",
        "/dev/zero",
        "/proc/self/environ",
        `${at("app/src/main.ts")}\u0000`
      ]
    ) {
      assert.isUndefined(read(file), file)
    }
  })

  it("does not accept the root of the file system as a program folder, or files in /proc and /dev as sources", ({ skip }) => {
    if (process.platform !== "linux") skip("there is no /proc")
    assert.isUndefined(of(trust, "/").read(at("outside/secret.ts")))
    for (const cwd of ["/proc", "/proc/self", "/dev", "relative", ""]) {
      const { read } = of(trust, cwd)
      symlinkSync("/proc/self/environ", at("app/environ.ts"))
      for (const file of ["/proc/self/environ", "/dev/zero", at("app/environ.ts")]) assert.isUndefined(read(file))
      rmSync(at("app/environ.ts"))
    }
  })

  it("keeps the text that it has read when the file changes", () => {
    const { read } = of(trust, at("app"))
    const file = write(at("app/changing.ts"), "before")
    assert.strictEqual(read(file), "before")
    write(file, "after")
    assert.strictEqual(read(file), "before")
  })

  it("reads a missing file again when another process has introduced itself", () => {
    const files = of(trust, at("app"))
    const file = write(at("later/src/main.ts"))
    assert.isUndefined(files.read(file))
    files.met({ cwd: at("later"), argv: [] })
    assert.strictEqual(files.read(file), "source")
  })
}

describe("sources of a recording", () => {
  withSources("recorded")

  it("do not include the main file, a workspace or linked packages, because a recording may name any", () => {
    write(at("workspace/pnpm-workspace.yaml"))
    const [main, shared] = [write(at("workspace/app/main.ts")), write(at("workspace/shared/shared.ts"))]
    mkdirSync(at("workspace/app/node_modules"), { recursive: true })
    symlinkSync(at("outside"), at("workspace/app/node_modules/outside"))
    const { read } = of("recorded", at("workspace/app"), at("outside/secret.ts"))
    assert.strictEqual(read(main), "source")
    assert.isUndefined(read(shared))
    assert.isUndefined(read(at("outside/secret.ts")))
  })
})

describe("sources of a running program", () => {
  withSources("running")

  it("include the project of its main file, wherever it was started", () => {
    const project = at("project")
    write(join(project, "package.json"), "{}")
    const [main, other] = [write(join(project, "dist/main.js")), write(join(project, "src/other.ts"))]
    const { read } = of("running", at("app"), main)
    assert.strictEqual(read(other), "source")
    assert.isUndefined(read(at("outside/secret.ts")))
  })

  it("include the folder of the main file if it has no project", () => {
    const { read } = of("running", at("app"), write(at("script/main.mjs")))
    assert.strictEqual(read(write(at("script/lib/other.mjs"))), "source")
  })

  it.for(
    [["pnpm-workspace.yaml", ""], ["package.json", "{\"workspaces\":[\"packages/*\"]}"], [".git/HEAD", ""]] as const
  )(
    "include the whole workspace that is defined by %s",
    ([file, text]) => {
      const root = at(`workspace-${file.replaceAll(/\W/g, "")}`)
      write(join(root, file), text)
      write(join(root, "packages/a/package.json"), "{}")
      const other = write(join(root, "packages/b/src/b.ts"))
      assert.strictEqual(of("running", join(root, "packages/a")).read(other), "source")
    }
  )

  it("include packages that are linked, and packages linked from them", () => {
    const [app, linked, further] = [at("links/app"), at("elsewhere/linked"), at("elsewhere/further")]
    for (const one of [app, linked, further]) write(join(one, "src/main.ts"))
    mkdirSync(join(app, "node_modules/@scope"), { recursive: true })
    mkdirSync(join(linked, "node_modules"))
    symlinkSync(linked, join(app, "node_modules/@scope/linked"))
    symlinkSync(further, join(linked, "node_modules/further"))
    const { read } = of("running", app)
    assert.strictEqual(read(join(further, "src/main.ts")), "source")
    assert.strictEqual(read(join(linked, "src/main.ts")), "source")
    assert.isUndefined(read(at("outside/secret.ts")))
  })

  it("do not include the project around an installed tool that is started", () => {
    const tool = write(at("tooling/node_modules/tool/bin.js"))
    write(at("tooling/node_modules/tool/package.json"), "{}")
    const other = write(at("tooling/src/app.ts"))
    assert.strictEqual(of("running", at("app"), tool).read(other), "source")
  })
})

describe("source maps", () => {
  const resolve = (file: string, line = 1) => {
    const sources = Sources.make("recorded")
    sources.met({ cwd: at("app"), argv: [] })
    return sources.resolve({ name: "f", file, line, column: 1 })
  }
  const map = (different: object) =>
    JSON.stringify({ version: 3, sources: ["src/main.ts"], names: [], mappings: "AAAA", ...different })
  const inline = (json: string) =>
    `f()\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(json).toString("base64")}\n`

  it("translate places to the source, from an inline map or a separate file", () => {
    assert.strictEqual(resolve(write(at("app/inline.js"), inline(map({})))).file, at("app/src/main.ts"))
    write(at("app/beside.js.map"), map({}))
    assert.strictEqual(
      resolve(write(at("app/beside.js"), "f()\n//# sourceMappingURL=beside.js.map\n")).file,
      at("app/src/main.ts")
    )
  })

  it("are not read outside the folders of sources", () => {
    write(at("outside/secret.map"), map({}))
    symlinkSync(at("outside/secret.map"), at("app/linked.map"))
    if (process.platform !== "win32") execFileSync("mkfifo", [at("app/pipe.map")])
    for (
      const url of [
        "../outside/secret.map",
        "linked.map",
        "pipe.map",
        "/dev/zero",
        "/proc/self/environ",
        "%",
        "%00.map"
      ]
    ) {
      const file = write(at(`app/url-${url.replaceAll(/\W/g, "")}.js`), `f()\n//# sourceMappingURL=${url}\n`)
      assert.strictEqual(resolve(file).file, file, url)
    }
  })

  it("leave the place unchanged when they are broken", () => {
    const broken = [
      "",
      "null",
      "[]",
      "{\"version\":3}",
      map({ sources: [1] }),
      map({ sources: "ab" }),
      map({ sources: [{}] }),
      map({ sources: [null] }),
      map({ mappings: 3 }),
      map({ mappings: "gggggggggggggggggggB" }),
      map({ names: [{}], mappings: "AAAAA" }),
      map({ sources: ["file://elsewhere/x.ts"] }),
      map({ sources: ["file:///%"] }),
      "{\"version\":3,\"sections\":[{}]}",
      `{"version":3,"sections":${"[".repeat(10_000)}${"]".repeat(10_000)}}`
    ]
    for (const [i, json] of broken.entries()) {
      const file = write(at(`app/broken-${i}.js`), inline(json))
      assert.include([file, at("app")], resolve(file).file, json.slice(0, 80))
    }
  })
})
