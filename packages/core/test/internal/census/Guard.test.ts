import { assert, describe, it } from "@effect/vitest"
import { makeGuard, messageOf } from "../../../src/internal/census/Guard.ts"

const collect = () => {
  const reports: Array<ReadonlyArray<string>> = []
  return { reports, guard: makeGuard((name, message) => reports.push([name, message])) }
}

const fail = (): never => {
  throw new RangeError("too far")
}

describe("Guard", () => {
  it("returns the result of a part", () => {
    assert.strictEqual(collect().guard.run("memory", () => 42, 0), 42)
  })

  it("reports a part that throws once, and never runs it again", () => {
    const { guard, reports } = collect()
    let ran = 0
    const read = (): number => {
      ran++
      return fail()
    }
    assert.deepStrictEqual([guard.run("loop", read, -1), guard.run("loop", read, -2)], [-1, -2])
    assert.strictEqual(ran, 1)
    assert.deepStrictEqual(reports, [["loop", "RangeError: too far"]])
    assert.isTrue(guard.hasFailed("loop"))
    assert.strictEqual(guard.run("memory", () => 42, 0), 42, "other parts go on")
  })

  it("does not throw when the report throws too", () => {
    assert.strictEqual(makeGuard(fail).run("memory", fail, "nothing"), "nothing")
  })

  it("makes entries that never throw, and that a failure switches off", () => {
    const { guard, reports } = collect()
    const seen: Array<number> = []
    const entry = guard.entry("timer", (n: number) => {
      seen.push(n)
      if (n === 2) fail()
    })
    for (const n of [1, 2, 3]) entry(n)
    assert.deepStrictEqual(seen, [1, 2])
    assert.deepStrictEqual(reports, [["timer", "RangeError: too far"]])
  })

  it("wraps a function of the program without changing its behaviour, whatever fails", () => {
    const { guard, reports } = collect()
    const original = function(this: unknown, ...args: Array<unknown>) {
      if (args[0] === "throw") throw new Error("theirs")
      return [this, ...args]
    }
    const replaced = guard.around("fork", original, ([first]) => {
      if (first === "before") fail()
      return (result) => first === "after" ? fail() : first === "other" ? "another" : result
    })
    assert.deepStrictEqual(replaced.call("self", 1, 2), ["self", 1, 2])
    assert.strictEqual(replaced.call("self", "other"), "another")
    assert.throws(() => replaced("throw"), "theirs")
    assert.deepStrictEqual(reports, [])
    for (const part of ["after", "before", "other"]) assert.deepStrictEqual(replaced.call(0, part), [0, part])
    assert.deepStrictEqual(reports, [["fork", "RangeError: too far"]])
  })

  it("describes any thrown value", () => {
    const hostile = {
      [Symbol.toPrimitive]: () => {
        throw hostile
      }
    }
    class Sly extends Error {
      override get message(): string {
        throw hostile
      }
    }
    const thrown = [new Error("no"), "no", null, undefined, hostile, new Sly(), Object.create(null), Symbol("no")]
    assert.deepStrictEqual(thrown.map(messageOf), [
      "Error: no",
      "no",
      "null",
      "undefined",
      "an error that cannot be printed",
      "an error that cannot be printed",
      "an error that cannot be printed",
      "Symbol(no)"
    ])
  })
})
