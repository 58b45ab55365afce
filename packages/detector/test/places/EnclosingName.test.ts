import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeNamer } from "../../src/places/EnclosingName.ts"
import * as SourceFiles from "../../src/places/SourceFiles.ts"

const source = `
class Session extends Base {}

export class Editor {
  constructor(document) {
    this.lines = document.split().map((line) => ({ line }))
  }

  open() {}
}

const classify = (rows) => rows.map((row) => ({ row }))
`

describe("makeNamer", () => {
  it("names anonymous functions after the declaration around them, and constructors as stack traces do", () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-names-"))
    try {
      const file = join(folder, "app.mjs")
      writeFileSync(file, source)
      const files = SourceFiles.make("recorded")
      files.met({ argv: [], cwd: folder })
      const named = makeNamer(files.read)
      const nameOf = (name: string, line: number) => named({ name, file, line, column: 1 }).name
      assert.deepStrictEqual(
        [
          nameOf("Session", 2),
          nameOf("Editor", 5),
          nameOf("", 6),
          nameOf("open", 9),
          nameOf("classify", 12),
          nameOf("", 12)
        ],
        ["new Session", "new Editor", "constructor", "open", "classify", "classify"]
      )
      const minified = join(folder, "app.min.mjs")
      writeFileSync(minified, `function route(){return 1}${";var a=(b)=>b.map((c)=>({c}))".repeat(50)}`)
      assert.strictEqual(named({ name: "", file: minified, line: 1, column: 700 }).name, "")
      assert.strictEqual(named({ name: "", file: join(folder, "gone.mjs"), line: 3 }).name, "")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
