import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import { Script } from "../../src/testing/index.ts"

const sample = Arbitrary.sampleEffect(Arbitrary.schema(Script.Script), { count: 500, seed: 3 })

describe("Script", () => {
  it.effect("derives programs of every kind of step", () =>
    Effect.gen(function*() {
      const text = JSON.stringify(yield* sample)
      for (const op of ["yield", "fail", "sleep", "use", "attempt", "mask", "fork", "timeout", "race", "both"]) {
        assert.include(text, `"op":"${op}"`)
      }
    }))

  it.effect("is a program that ends", () =>
    Effect.gen(function*() {
      for (const script of (yield* sample).slice(0, 100)) {
        const fiber = yield* Effect.forkChild(Effect.exit(Script.toEffect(script, [])))
        for (let i = 0; i < 1000 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("1 millis")
        const exit = fiber.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit), JSON.stringify(script))
      }
    }))

  it.effect("calls the operations around their bodies", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const operation = (name: string) => (body: Effect.Effect<void, Script.Failed, Scope.Scope>) =>
        Effect.andThen(
          Effect.sync(() => log.push(`+${name}`)),
          Effect.ensuring(body, Effect.sync(() => log.push(`-${name}`)))
        )
      const script: Script.Script = [
        { op: "use", n: 0, body: [{ op: "use", n: 3, body: [] }] },
        { op: "attempt", body: [{ op: "use", n: 2, body: [{ op: "fail" }] }] },
        { op: "fail" },
        { op: "use", n: 0, body: [] }
      ]
      const error = yield* Effect.flip(Script.toEffect(script, [operation("a"), operation("b")]))
      assert.strictEqual(error, "the script fails")
      assert.deepStrictEqual(log, ["+a", "+b", "-b", "-a", "+a", "-a"])
    }))
})
