/** The waiting places of fibers. They are found in a child process, because a test runner changes the lines of modules. */
import { assert, describe, it } from "@effect/vitest"
import { alone, node } from "../support/Fiberscope.ts"

describe("waitingPlaces", { timeout: 30_000 }, () => {
  it("finds the yield* of a generator, else code that the program passed to a library, and the timers that wake fibers, without calling a getter", async () => {
    const { stderr, stdout } = await alone(node("waits.mjs"))
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(JSON.parse(stdout.toString()), {
      cancelled: [1, "7000 7000", [1, true, 36, 22]],
      generator: [2, "3600000 3600000", [2, true, 16, 3]],
      retried: [1, "3600000 3600000", [1, true, 19, 12]],
      streamed: [1, "", [1, true, 27, 21]],
      library: [2, ""],
      called: false
    })
  })
})
