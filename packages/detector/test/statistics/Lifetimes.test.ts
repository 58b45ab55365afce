import { assert, describe, it } from "@effect/vitest"
import * as Lifetimes from "../../src/statistics/Lifetimes.ts"
import type { Random } from "../support/random.ts"
import { random, seeds } from "../support/random.ts"

interface Model {
  readonly born: number
  died: number
}

/** Lets things be born, at most a minute late, and die; answers every one of them and the last moment. */
const play = (
  lives: Lifetimes.Lifetimes,
  chance: Random,
  stepMs: number
): { readonly model: ReadonlyArray<Model>; readonly now: number } => {
  const model: Array<Model> = []
  let now = 0
  for (let step = chance.integer(1, 400); step > 0; step--) {
    now += chance.exponential(stepMs)
    if (chance.next() < 0.6 || model.length === 0) {
      const count = chance.integer(1, 3)
      const born = Math.max(0, now - chance.pick([0, 0, chance.between(0, 60_000)]))
      lives.recordBirth(born, count)
      for (let i = 0; i < count; i++) model.push({ born, died: Infinity })
    } else {
      const one = chance.pick(model)
      if (one.died < Infinity) continue
      one.died = now
      lives.recordDeath(one.born, now, 1)
    }
  }
  return { model, now }
}

/** Groups as text, however they were split. */
const groups = (all: Iterable<Lifetimes.Lifetime>): ReadonlyMap<string, number> => {
  const out = new Map<string, number>()
  for (const { born, count, died } of all) {
    const key = `${born} → ${died}`
    const sum = (out.get(key) ?? 0) + count
    if (sum === 0) out.delete(key)
    else out.set(key, sum)
  }
  return out
}

const middle = (t: number, bucket: number): number => Number.isFinite(t) ? (Math.floor(t / bucket) + 0.5) * bucket : t

describe("Lives", () => {
  it("knows what a list of all lives knows, to the bucket, however coarse the buckets get", () => {
    let coarsest = 0
    for (const seed of seeds(300)) {
      const chance = random(seed)
      const bucketMs = chance.pick([100, 1000])
      const lives = Lifetimes.make({ bucketMs })
      const { model } = play(lives, chance, chance.pick([10, 1000, 60_000]))
      const last = Math.max(...model.flatMap(({ born, died }) => (died < Infinity ? [born, died] : [born])))
      let bucket = bucketMs
      while (last / bucket >= 600) bucket *= 2
      coarsest = Math.max(coarsest, bucket / bucketMs)
      assert.deepStrictEqual(
        groups(lives.all()),
        groups(model.map(({ born, died }) => ({ born: middle(born, bucket), died: middle(died, bucket), count: 1 }))),
        `seed ${seed}`
      )
      assert.strictEqual(lives.born(), model.length)
      assert.strictEqual(lives.living(), model.filter(({ died }) => died === Infinity).length)
    }
    assert.isAtLeast(coarsest, 64, "the buckets were made coarser in some runs")
  })

  it("forgets what died before its window, and of the rest only when it was born", () => {
    let forgotten = 0
    for (const seed of seeds(300)) {
      const chance = random(seed)
      const windowMs = chance.pick([5000, 60_000, 1_200_000])
      const lives = Lifetimes.make({ windowMs })
      const { model } = play(lives, chance, chance.pick([10, 1000, 60_000]))
      const bucket = Math.max(1000, windowMs / 600)
      const last = Math.max(...model.flatMap(({ born, died }) => (died < Infinity ? [born, died] : [born])))
      const first = Math.floor((last - windowMs) / bucket)
      const before = (t: number) => Math.floor(t / bucket) < first
      const expected = model.filter(({ died }) => !before(died)).map(({ born, died }) => ({
        born: before(born) ? -Infinity : middle(born, bucket),
        died: middle(died, bucket),
        count: 1
      }))
      forgotten += model.length - expected.length
      assert.deepStrictEqual(
        [...groups(lives.all())].sort(),
        [...groups(expected)].sort(),
        `seed ${seed}, window ${windowMs}`
      )
      assert.strictEqual(lives.born(), model.length)
      assert.strictEqual(lives.living(), model.filter(({ died }) => died === Infinity).length)
    }
    assert.isAbove(forgotten, 1000)
  })

  it("takes no more groups for a day than for ten minutes", () => {
    const lives = Lifetimes.make()
    for (let second = 0; second < 86_400; second++) {
      lives.recordBirth(second * 1000, 3)
      if (second >= 5) lives.recordDeath((second - 5) * 1000, second * 1000, 3)
    }
    assert.isAtMost([...lives.all()].length, 2 * 600)
    assert.strictEqual(lives.living(), 15)
  })
})
