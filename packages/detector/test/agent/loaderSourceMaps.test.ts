import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { originalOf } from "../../src/agent/loaderSourceMaps.ts"

const originals = new URL("../../src/agent/loaderSourceMaps.ts", import.meta.url).href

/** Line 1, column 11 of the loaded code is line 7, column 3 of `written.ts`. */
const sourceMap = { version: 3, sources: ["written.ts"], names: [], mappings: "UAME" }

const program = `
process.setSourceMapsEnabled(true)
const loaded = new URL("loaded.mjs", import.meta.url).href
await import(loaded)
const { originalOf } = await import(${JSON.stringify(originals)})
console.log(JSON.stringify([
  originalOf({ name: "f", file: loaded, line: 1, column: 12 }),
  originalOf({ name: "g", file: import.meta.url, line: 2, column: 1 })
]))
`

describe("originalOf", () => {
  it("translates places in code that a loader generated to places in its source", () => {
    const folder = mkdtempSync(join(tmpdir(), "originals-"))
    try {
      const map = Buffer.from(JSON.stringify(sourceMap)).toString("base64")
      writeFileSync(
        join(folder, "loaded.mjs"),
        `export {}; function f() {}\n//# sourceMappingURL=data:application/json;base64,${map}\n`
      )
      writeFileSync(join(folder, "program.mjs"), program)
      const [f, g] = JSON.parse(execFileSync(process.execPath, [join(folder, "program.mjs")], { encoding: "utf8" }))
      assert.match(f.file, /written\.ts$/)
      assert.deepStrictEqual([f.name, f.line, f.column], ["f", 7, 3])
      assert.match(g.file, /program\.mjs$/)
      assert.deepStrictEqual([g.name, g.line, g.column], ["g", 2, 1])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("keeps places in files without a source map", () => {
    for (const file of [undefined, "", "node:fs", "file:///nowhere.js", "not a path", "evalmachine.<anonymous>"]) {
      const place = { name: "f", file, line: 3, column: 4 }
      assert.strictEqual(originalOf(place), place)
    }
  })
})
