import { assert, describe, it } from "@effect/vitest"
import { run } from "./support.ts"

describe("detector-tour", () => {
  it.each([[[]], [["--fast"]]])("shows the steps and the counts of the tutorial with %j", async (args) => {
    const { code, stderr, stdout } = await run("detector-tour/tour", args)
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.match(stdout, /^live fibers: \+50\nlive fibers: \+25\n/)
    assert.match(stdout, /start → after_creating_tasks\n {2}live fibers .*\+50\n/)
    assert.match(stdout, /after_creating_tasks → after_partial_cleanup\n {2}live fibers .*-25\n/)
    assert.match(stdout, /^ +\+50 {2}tour \(.*\) → task \(.*tour\.ts:\d+\)$/m)
    assert.match(stdout, /^└─ tour \(.*\) → task \(.*\) × 25, oldest/m)
    assert.match(stdout, /^note, live-fibers: \d+ fibers live, more than 20$/m)
  })

  it("refuses arguments that it does not know", async () => {
    const { code, stderr } = await run("detector-tour/tour", ["--for", "long"])
    assert.strictEqual(code, 64)
    assert.include(stderr, "--for long: expected a number with a unit")
    assert.include(stderr, "(default: 3s, with --fast 1s)")
  })
})
