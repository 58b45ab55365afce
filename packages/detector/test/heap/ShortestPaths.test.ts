import { assert, describe, it } from "@effect/vitest"
import { shortestPaths } from "../../src/heap/ShortestPaths.ts"
import type { Edge } from "../support/snapshots.ts"
import { entryOfWeakMap, graphFrom } from "../support/snapshots.ts"

describe("ShortestPaths", () => {
  it.each(["(Stack roots)", "(Strong roots)", "(Handle scope)", "(Global handles)"])(
    "leads through a root that comes and goes only to what nothing else reaches: %s",
    (name) => {
      const { isPassing, parent } = shortestPaths(graphFrom({
        nodes: [
          { type: "synthetic", edges: [["element", 1, 1], ["element", 2, 2]] },
          { type: "synthetic", name, edges: [["hidden", 0, 4], ["hidden", 1, 5]] },
          { type: "synthetic", name: "(Strong root list)", edges: [["hidden", 0, 3]] },
          { name: "Service", edges: [["property", "session", 4]] },
          { name: "Session" },
          { name: "Argument" }
        ]
      }))
      assert.deepStrictEqual(Array.from(parent), [0, 0, 0, 2, 3, 1])
      assert.deepStrictEqual(Array.from(isPassing), [0, 0, 0, 0, 0, 1])
    }
  )

  it.each(["Key", "two\nlines"])("reaches the value of a WeakMap when both its key and its map are: %j", (text) => {
    const { fromKey, fromTable } = entryOfWeakMap(2, 3, 1)
    const named = ([type, name, to]: Edge): Edge => [type, String(name).replace("Key", text), to]
    const order = (...edges: ReadonlyArray<Edge>) =>
      Array.from(
        shortestPaths(graphFrom({ nodes: [{ edges }, { edges: [named(fromTable)] }, { edges: [named(fromKey)] }, {}] }))
          .order
      )
    const [map, key]: ReadonlyArray<Edge> = [["property", "map", 1], ["property", "key", 2]]
    assert.deepStrictEqual(order(map!), [0, 1])
    assert.deepStrictEqual(order(key!), [0, 2])
    assert.deepStrictEqual(order(map!, key!), [0, 1, 2, 3])
  })
})
