import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { effectVersion } from "../../src/places/EffectVersion.ts"
import * as SourceMaps from "../../src/places/SourceMaps.ts"

const source = ["export const first = 1", "export const leak = () => {", "  throw new Error(\"here\")", "}", ""].join(
  "\n"
)

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** A project whose `src/app.ts` was built into `dist/app.js`, with a modified source map. */
const project = async (
  change: (map: { sources: Array<string>; sourceRoot?: string }) => void,
  use: (
    root: string,
    place: (file: string) => { readonly file?: string | undefined; readonly line?: number | undefined }
  ) => void
): Promise<void> => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "fiberscope-maps-")))
  try {
    mkdirSync(join(root, "src"))
    writeFileSync(join(root, "src/app.ts"), source)
    const outfile = join(root, "dist/app.js")
    await build({
      entryPoints: [join(root, "src/app.ts")],
      outfile,
      bundle: true,
      minify: true,
      sourcemap: true,
      format: "esm"
    })
    const map = JSON.parse(readFileSync(`${outfile}.map`, "utf8"))
    change(map)
    writeFileSync(`${outfile}.map`, JSON.stringify(map))
    const column = readFileSync(outfile, "utf8").indexOf("throw") + 1
    use(root, (file) => SourceMaps.make(read).original({ name: "", file, line: 1, column }))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

describe("SourceMaps", () => {
  it.each([
    ["relative to the map", () => {}],
    ["below a root", (map: { sources: Array<string>; sourceRoot?: string }) => {
      map.sourceRoot = "../src"
      map.sources = ["app.ts"]
    }],
    ["an address of webpack", (map: { sources: Array<string> }) => {
      map.sources = ["webpack://a-project/./src/app.ts"]
    }]
  ])("gives a place one name, where its source is %s", (_, change) =>
    project(change, (root, placeOf) => {
      const { file, line } = placeOf(join(root, "dist/app.js"))
      assert.deepStrictEqual([file, line], [join(root, "src/app.ts"), 3])
    }))

  it("keeps the path of an address whose file does not exist", () =>
    project((map) => void (map.sources = ["webpack://a-project/./elsewhere/app.ts"]), (root, placeOf) => {
      assert.strictEqual(placeOf(join(root, "dist/app.js")).file, "elsewhere/app.ts")
    }))

  it("lists the full paths of the sources of a built file", () =>
    project(() => {}, (root) => {
      const sources = SourceMaps.make(read).sourcesOf(join(root, "dist/app.js"))
      assert.deepStrictEqual(sources, [join(root, "src/app.ts")])
      assert.strictEqual(dirname(sources[0]!), join(root, "src"))
    }))
})

describe("effectVersion", () => {
  const none = () => undefined

  it("is found in the folder name of a package manager, in a source path or in a comment", () => {
    const path = "/app/node_modules/.pnpm/effect@4.0.0-rc.111/node_modules/effect/src/Effect.ts"
    assert.strictEqual(effectVersion("", ["/app/src/main.ts", path], none), "4.0.0-rc.111")
    assert.strictEqual(
      effectVersion("// node_modules/.pnpm/effect@4.1.0_x@1/node_modules/effect/dist/Effect.js\n", [], none),
      "4.1.0"
    )
  })

  it("is found in the manifest beside a source", () => {
    const manifest = (file: string) =>
      file === "/app/node_modules/effect/package.json"
        ? JSON.stringify({ name: "effect", version: "4.0.3" })
        : undefined
    assert.strictEqual(effectVersion("", ["/app/node_modules/effect/dist/Effect.js"], manifest), "4.0.3")
  })

  it("is unknown when no path shows it, or when the manifest is another package's", () => {
    const other = () => JSON.stringify({ name: "other", version: "1.0.0" })
    assert.isUndefined(effectVersion("const a = 1", ["/app/src/effect.ts"], none))
    assert.isUndefined(effectVersion("", ["/app/node_modules/effect/dist/Effect.js"], other))
    assert.isUndefined(effectVersion("", ["/app/node_modules/effect/dist/Effect.js"], () => "{"))
  })
})
