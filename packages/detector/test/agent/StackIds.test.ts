import { assert, describe, it } from "@effect/vitest"
import { hashOf, makeStackIds } from "../../src/agent/StackIds.ts"
import { random } from "../support/random.ts"

describe("StackIds", () => {
  it("numbers stacks in order of appearance, and recognizes them again", () => {
    const ids = makeStackIds(100)
    const stacks = [[1, 2, 3], [1, 2], [3, 2, 1], [], [1, 2, 3, 0], [0, 1, 2, 3]]
    assert.deepStrictEqual(stacks.map((stack) => ids.of(stack)), stacks.map((_, i) => ({ id: i + 1, isNew: true })))
    assert.deepStrictEqual(stacks.map((stack) => ids.of(stack)), stacks.map((_, i) => ({ id: i + 1, isNew: false })))
  })

  it("distinguishes 20 000 random stacks, takes no more than fit, and still recognizes them", () => {
    const chance = random(1)
    const frames = Array.from({ length: 300 }, (_, i) => hashOf(`f${i}`, hashOf("file:///app/main.ts")))
    const stacks = new Map(Array.from({ length: 30_000 }, () => {
      const stack = Array.from({ length: chance.integer(1, 24) }, () => frames[chance.integer(0, 299)]!)
      return [stack.join(), stack] as const
    }))
    assert.isAbove(stacks.size, 25_000)
    const ids = makeStackIds(20_000)
    const first = [...stacks.values()].map((stack) => ids.of(stack))
    assert.deepStrictEqual(
      first.filter(({ isNew }) => isNew).map(({ id }) => id),
      Array.from({ length: 20_000 }, (_, i) => i + 1)
    )
    assert.isTrue(first.slice(20_000).every(({ id, isNew }) => id === 0 && !isNew))
    assert.deepStrictEqual([...stacks.values()].map((stack) => ids.of(stack).id), first.map(({ id }) => id))
  })

  it("gives different hashes to texts that differ in one letter, in order or in length", () => {
    const texts = ["", "a", "b", "ab", "ba", "a".repeat(100), "a".repeat(101)]
    assert.strictEqual(new Set(texts.map((text) => hashOf(text))).size, texts.length)
  })
})
