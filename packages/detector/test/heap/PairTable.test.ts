import { assert, describe, it } from "@effect/vitest"
import { PairTable } from "../../src/heap/PairTable.ts"
import { random, seeds } from "../support/random.ts"

describe("PairTable", () => {
  it("answers what a Map with both numbers as its key answers", () => {
    for (const seed of seeds(60)) {
      const { integer, pick } = random(seed)
      const most = pick([3, 40, 1000, 2 ** 32 - 1])
      const table = new PairTable()
      const map = new Map<string, number>()
      // More than there is room for at first.
      for (let i = integer(0, 2000); i > 0; i--) {
        const [first, second, value] = [integer(0, most), integer(0, most), pick([0, 2 ** 32 - 2, i])]
        const key = `${first} ${second}`
        assert.strictEqual(table.get(first, second), map.get(key) ?? -1, `seed ${seed}`)
        if (i % 2 === 0) {
          assert.strictEqual(table.getOrSet(first, second, value), map.get(key) ?? value, `seed ${seed}`)
          map.set(key, map.get(key) ?? value)
        } else {
          table.set(first, second, value)
          map.set(key, value)
        }
      }
    }
  })
})
