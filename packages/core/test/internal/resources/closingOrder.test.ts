import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { closingOrder } from "../../../src/internal/resources/closingOrder.ts"

const thing = (name: string, after: ReadonlyArray<string> = [], phase = 0) => ({ name, phase, after })

const orders = (things: ReadonlyArray<ReturnType<typeof thing>>) =>
  (["sequential", "parallel"] as const).map((strategy) =>
    closingOrder(things, strategy).map((wave) => wave.map(({ name }) => name).join("+")).join(" ")
  )

describe("closingOrder", () => {
  it("closes things in reverse order of creation, or all at once", () => {
    assert.deepStrictEqual(orders([thing("a"), thing("b"), thing("c")]), ["c b a", "c+b+a"])
  })

  it("closes phases one after the other, the lowest first", () => {
    assert.deepStrictEqual(orders([thing("a", [], 2), thing("b"), thing("c", [], 2), thing("d")]), [
      "d b c a",
      "d+b c+a"
    ])
  })

  it("closes things with `after` later, whatever their position and phase", () => {
    assert.deepStrictEqual(orders([thing("a"), thing("b"), thing("c", ["a"]), thing("d", ["c"])]), [
      "b a c d",
      "b+a c d"
    ])
    assert.deepStrictEqual(orders([thing("a", [], 2), thing("b", ["a"], 1), thing("c", [], 3)]), ["a b c", "a b c"])
  })

  it("waits for all things of a name, and ignores unknown names", () => {
    assert.deepStrictEqual(orders([thing("a"), thing("a"), thing("b", ["a", "nobody"])]), ["a a b", "a+a b"])
  })

  it("breaks a cycle at the thing created last", () => {
    assert.deepStrictEqual(orders([thing("a", ["b"]), thing("b", ["c"]), thing("c", ["a"]), thing("d", ["d"])]), [
      "d c b a",
      "d c b a"
    ])
  })

  const Thing = Schema.Struct({
    name: Schema.Literals(["a", "b", "c", "d"]),
    phase: Schema.Literals([0, 1, 2]),
    after: Schema.Array(Schema.Literals(["a", "b", "c", "d"])).check(Schema.isMaxLength(2))
  })

  it.prop("closes each thing once, and after the earlier letters that it waits for", {
    things: Schema.Array(Thing).check(Schema.isMaxLength(8)),
    strategy: Schema.Literals(["sequential", "parallel"])
  }, ({ strategy, things }) => {
    const acyclic = things.map((one) => ({ ...one, after: one.after.filter((other) => other < one.name) }))
    const waves = closingOrder(acyclic, strategy)
    assert.sameMembers(waves.flat(), acyclic)
    waves.forEach((wave, i) => {
      const later = waves.slice(i).flat()
      for (const { after } of wave) for (const other of after) assert.isFalse(later.some(({ name }) => name === other))
    })
  })
})
