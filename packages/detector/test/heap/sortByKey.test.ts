import { assert, describe, it } from "@effect/vitest"
import { sortByKey } from "../../src/heap/sortByKey.ts"
import { random, seeds } from "../support/random.ts"

describe("sortByKey", () => {
  it("sorts keys of any size, and what is equal keeps its order", () => {
    for (const seed of seeds(300)) {
      const { integer, pick } = random(seed)
      const most = pick([0, 1, 5, 2 ** 11, 2 ** 12, 2 ** 22 - 1, 2 ** 22, 2 ** 32 - 1])
      const keys = Uint32Array.from({ length: integer(0, 300) }, () => integer(0, most))
      const values = Uint32Array.from(keys, (_, i) => i)
      const expected = Array.from(keys, (key, i) => [key, i] as const).sort(([a], [b]) => a - b)
      const room = keys.length + integer(0, 1)
      sortByKey(keys, values, new Uint32Array(room), new Uint32Array(room))
      assert.deepStrictEqual(Array.from(keys, (key, i) => [key, values[i]!] as const), expected, `seed ${seed}`)
    }
  })
})
