/** Programs that are not well without a leak: the report says what is wrong with them, and not that the run was too short. */
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cli, fiberscope, node } from "../support/Fiberscope.ts"

describe("fiberscope run, on a program whose event loop is blocked", { timeout: 60_000 }, () => {
  it("says so, and since when, also from the recording, and ends with 0", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-unwell-"))
    const record = join(folder, "run.ndjson")
    const flags = ["--for", "12s", "--record", record]
    const { code, stderr } = await fiberscope(node("blocked-loop.mjs"), { report: false, flags })
    const later = await cli("report", record)
    rmSync(folder, { recursive: true })
    assert.strictEqual(code, 0, stderr)
    for (const text of [stderr, later.stderr]) {
      assert.include(text, "fiberscope  UNDECIDED")
      assert.match(text, /the event loop has not answered for the last \d+ s: something blocks it/)
      assert.notInclude(text, "too short")
    }
  })
})
