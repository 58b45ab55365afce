import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import process from "node:process"
import { fileURLToPath } from "node:url"

describe("detector-tour", () => {
  it("shows the steps and the counts of the tutorial", () => {
    const tour = fileURLToPath(new URL("../src/detector-tour/tour.ts", import.meta.url))
    const text = execFileSync(process.execPath, [tour], { encoding: "utf8" })
    assert.match(text, /^live fibers: \+50\nlive fibers: \+25\n/)
    assert.match(text, /start → after_creating_tasks\n {2}live fibers .*\+50\n/)
    assert.match(text, /after_creating_tasks → after_partial_cleanup\n {2}live fibers .*-25\n/)
    assert.match(text, /^ +\+50 {2}task \(.*tour\.ts:\d+\)$/m)
    assert.match(text, /^└─ task \(.*\) × 25, oldest/m)
    assert.match(text, /^note, live-fibers: \d+ fibers live, more than 20$/m)
  })
})
