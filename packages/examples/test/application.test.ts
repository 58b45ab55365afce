/**
 * The whole service: it releases everything after each run, and ends in order.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Application from "@fiberscope/core/Application"
import { InterruptLab } from "@fiberscope/core/testing"
import { Console, Effect, Layer } from "effect"
import { application } from "../src/leak-free-application/application.ts"
import { run } from "./support.ts"

const program = "leak-free-application/application"

describe("leak-free-application", () => {
  it.live("releases everything after each of five runs", () =>
    Effect.gen(function*() {
      const { cycles } = yield* Application.run(application("30 seconds"), {
        cycles: 5,
        work: Effect.sleep("5 millis")
      })
      assert.strictEqual(cycles, 5)
    }).pipe(Effect.provideService(Console.Console, { ...console, log: () => {} })))

  it.effect("releases everything wherever it is interrupted", () =>
    InterruptLab.verify(
      () => Effect.scoped(Effect.andThen(Layer.build(application("2 seconds")), Effect.sleep("3 seconds"))),
      { budget: { runs: 500 }, grace: 0 }
    ))

  it("stops at a signal: tasks finish, then resources are released", async () => {
    const { code, stderr, stdout } = await run(program, ["--for", "1m"], { signal: "SIGTERM", afterLines: 1 })
    assert.strictEqual(code, 143)
    assert.match(stderr, /^SIGTERM: stopping, in 25 s at most\nstopped after \d+ ms, exit code 143$/m)
    const [first, ...lines] = stdout.trimEnd().split("\n")
    assert.strictEqual(first, "8 tasks are running, and 3 resources are open")
    assert.deepStrictEqual(
      lines.slice(0, 5),
      [1, 2, 3, 4, 5].map((id) => `task ${id} was notified that the service stops`)
    )
    assert.deepStrictEqual(
      lines.slice(5, 8).map((line) => line.replace(/ after.*/, "")),
      [1, 2, 3].map((id) => `resource ${id} was released`)
    )
    assert.match(lines[8]!, /^at the end: .*; 0 fibers are still running$/)
  })

  it("ends by itself, and ends its tasks at their deadline", async () => {
    const { code, stdout } = await run(program, ["--fast"])
    assert.strictEqual(code, 0)
    for (const id of [1, 2, 3, 4, 5]) assert.include(stdout, `task ${id} has used up its 1s\n`)
    assert.match(stdout, /; 0 fibers are still running\n$/)
  })

  it("refuses arguments that it does not know", async () => {
    const { code, stderr } = await run(program, ["--quick"])
    assert.strictEqual(code, 64)
    assert.include(stderr, "Unknown option '--quick'")
  })
})
