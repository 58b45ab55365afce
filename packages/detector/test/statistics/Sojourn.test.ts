import { assert, describe, it } from "@effect/vitest"
import * as Lifetimes from "../../src/statistics/Lifetimes.ts"
import * as Sojourn from "../../src/statistics/Sojourn.ts"
import * as Turnover from "../../src/statistics/Turnover.ts"
import { random, seeds } from "../support/random.ts"

const window = { start: 0, end: 30_000 }
const youngest = 3000

type Life = readonly [born: number, died: number]

const record = (lives: ReadonlyArray<Life>): Lifetimes.Lifetimes => {
  const out = Lifetimes.make()
  for (const [born, died] of lives) {
    out.recordBirth(born, 1)
    if (died < window.end) out.recordDeath(born, died, 1)
  }
  return out
}

const sojourn = (lives: ReadonlyArray<Life>) => Sojourn.of(record(lives).all(), window, youngest)

/** `perSecond` come for thirty seconds, each to live as long as told. */
const arriving = (perSecond: number, life: (born: number, i: number) => number): ReadonlyArray<Life> =>
  Array.from(
    { length: 30 * perSecond },
    (_, i) => [i * 1000 / perSecond, i * 1000 / perSecond + life(i * 1000 / perSecond, i)]
  )

/** First come, first served, and let go at the end of each `chunk` of milliseconds. */
const queue = (perSecond: number, served: number, chunk: number): ReadonlyArray<Life> => {
  let free = 0
  return arriving(perSecond, (born) => {
    free = Math.max(free, born) + 1000 / served
    return Math.ceil(free / chunk) * chunk - born
  })
}

const judge = (lives: ReadonlyArray<Life>): Turnover.Turnover =>
  Turnover.judge(record(lives).all(), window, 5000, { steadyTraffic: true, youngest })

describe("Sojourn", () => {
  it("gets longer by what stays, and more surely with each departure", () => {
    const { first, last, slope, slopeLate, z } = sojourn(queue(20, 10, 2000))
    assert.closeTo(slope, 0.5, 0.1)
    assert.closeTo(slopeLate, 0.5, 0.1)
    assert.isAbove(z, 3)
    assert.isAtMost(first, 5000)
    assert.closeTo(last, 14_000, 1500)
  })

  it("is sure of six departures that each waited longer, and not of five", () => {
    const departures = (count: number) =>
      Array.from({ length: 5 * count }, (_, i): Life => {
        const nth = Math.floor(i / 5)
        return [nth * 1000, 4000 + nth * 3000]
      })
    assert.isAtLeast(sojourn(departures(6)).z, Sojourn.longerZ)
    assert.isBelow(sojourn(departures(5)).z, Sojourn.longerZ)
  })

  it("stays the same where a container is full, a batch is let go, and work takes its time", () => {
    const chance = random(1)
    const healthy = {
      "full after eight seconds": arriving(20, () => 8000),
      "a batch of seven seconds": arriving(20, (born) => 7000 - born % 7000),
      "long work": arriving(20, () => chance.exponential(6000)),
      "nothing": []
    }
    for (const [name, lives] of Object.entries(healthy)) {
      const { slope, z } = sojourn(lives)
      assert.isBelow(z, 2.6, name)
      assert.isBelow(slope, 0.2, name)
    }
  })

  it("does not look at what was born before the window, died young, or went alone", () => {
    assert.strictEqual(sojourn(arriving(20, () => 2000)).last, 0)
    assert.strictEqual(sojourn(Array.from({ length: 8 }, (_, i): Life => [0, 4000 + 3000 * i])).last, 0)
    const early = Sojourn.of(record(arriving(20, () => 8000)).all(), { start: 25_000, end: 30_000 }, youngest)
    assert.strictEqual(early.last, 0)
  })

  it("isLeak a queue that lets go in lumps, which nothing else can tell from a batch", () => {
    const lives = queue(20, 12, 3000)
    assert.strictEqual(judge(lives)._tag, "growing")
    assert.isTrue(judge(lives).queue)
    assert.strictEqual(
      Turnover.judge(record(lives).all(), window, 5000, { steadyTraffic: true })._tag,
      "unclear",
      "without a look at the times"
    )
    assert.strictEqual(
      Turnover.judge(record(lives).all(), window, 5000, { youngest })._tag,
      "unclear",
      "there may just be more to do"
    )
  })

  it("isLeak one that has just let go of a lump twice as large as the one before", () => {
    const two = { start: 0, end: 120_000 }
    const lumps = [6500, 9500, 13_500, 23_500, 38_500, 63_500, 110_500]
    const lives = Lifetimes.make()
    // Ten come each second, six of ten have been served: that much goes with each lump.
    for (let born = 0; born < two.end; born += 100) {
      lives.recordBirth(born, 1)
      const gone = lumps.find((lump) => born < 0.6 * lump)
      if (gone !== undefined) lives.recordDeath(born, gone, 1)
    }
    const judged = (options: { readonly youngest?: number }) =>
      Turnover.judge(lives.all(), two, 20_000, { steadyTraffic: true, ...options })._tag
    assert.strictEqual(judged({}), "steady", "where nobody looks at the times, as many go as arrive")
    assert.strictEqual(judged({ youngest }), "growing")
  })

  it("does not convict a queue whose delay gets longer and settles", () => {
    const convicted = seeds(500).filter((seed) => {
      const chance = random(seed)
      const delay = chance.between(4000, 15_000)
      const settles = chance.between(3000, 12_000)
      return judge(arriving(chance.integer(2, 60), (born) => 500 + delay * (1 - Math.exp(-born / settles))))._tag ===
        "growing"
    })
    assert.isAtMost(convicted.length, 5)
  })

  it("does not convict a queue that works off a rush, nor one that is near its limit", () => {
    for (const seed of seeds(200)) {
      const chance = random(seed)
      const from = chance.between(3000, 9000)
      const to = from + chance.between(3000, 9000)
      const chunk = chance.between(1000, 4000)
      let free = 0
      const rush = arriving(30, () => 0).filter(([born]) => chance.next() < (born >= from && born < to ? 1 : 0.3))
      const served = rush.map(([born]): Life => {
        free = Math.max(free, born) + 1000 / 15
        return [born, Math.ceil(free / chunk) * chunk]
      })
      assert.notStrictEqual(judge(served)._tag, "growing", `a rush, seed ${seed}`)
      assert.notStrictEqual(
        judge(queue(20, 20 / chance.between(0.8, 0.97), chunk))._tag,
        "growing",
        `near, seed ${seed}`
      )
    }
  })
})
