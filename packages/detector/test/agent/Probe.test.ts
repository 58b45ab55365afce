import { assert, describe, it } from "@effect/vitest"
import { makeProbes, messageOf } from "../../src/agent/Probe.ts"

describe("Probe", () => {
  it("answers what the probe reads", () => {
    const probes = makeProbes(() => assert.fail("nothing failed"))
    assert.strictEqual(probes.run("memory", () => 42, 0), 42)
  })

  it("reports a probe that throws once, and never asks it again", () => {
    const reports: Array<ReadonlyArray<string>> = []
    const probes = makeProbes((probe, message) => reports.push([probe, message]))
    let asked = 0
    const read = (): number => {
      asked++
      throw new RangeError("too far")
    }
    assert.deepStrictEqual([probes.run("loop", read, -1), probes.run("loop", read, -2)], [-1, -2])
    assert.strictEqual(asked, 1)
    assert.deepStrictEqual(reports, [["loop", "RangeError: too far"]])
    assert.strictEqual(probes.run("memory", () => 42, 0), 42, "the others go on")
  })

  it("throws nothing when the report throws too", () => {
    const probes = makeProbes(() => {
      throw new Error("no way to tell")
    })
    const read = () => {
      throw new Error("no way to read")
    }
    assert.strictEqual(probes.run("memory", read, "nothing"), "nothing")
  })

  it("finds words for anything that can be thrown", () => {
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
