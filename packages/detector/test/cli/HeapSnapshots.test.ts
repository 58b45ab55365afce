/** The times at which `fiberscope run` takes heap snapshots. */
import { assert, describe, it } from "@effect/vitest"
import { isDue } from "../../src/cli/HeapSnapshots.ts"

/** The seconds at which snapshots are taken, if each is taken when it is due. The last one of a run with an end is not among them. */
const schedule = (end: number): ReadonlyArray<number> => {
  const taken: Array<number> = []
  for (let now = 0; now < Math.min(end, 300_000); now += 1000) if (isDue(taken, now, end)) taken.push(now)
  return taken.map((ms) => ms / 1000)
}

describe("heap snapshots of a run", () => {
  it("are taken after the start, and in the middle of what is left", () => {
    assert.deepStrictEqual(schedule(30_000), [8, 19])
    assert.deepStrictEqual(schedule(120_000), [8, 64])
  })

  it("are not taken close to each other, nor close to the end", () => {
    assert.deepStrictEqual(schedule(10_000), [])
    assert.deepStrictEqual(schedule(14_000), [8])
  })

  it("come in even steps where the run has no end, and are three at most", () => {
    assert.deepStrictEqual(schedule(Infinity), [8, 28, 48])
  })
})
