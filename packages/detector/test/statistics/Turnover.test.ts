import { assert, describe, it } from "@effect/vitest"
import * as Lifetimes from "../../src/statistics/Lifetimes.ts"
import * as Turnover from "../../src/statistics/Turnover.ts"
import type { Random } from "../support/random.ts"
import { random, seeds } from "../support/random.ts"
import { boards } from "../support/simulated.ts"

const end = 30_000

/** When something was born, and when it died. */
type Life = readonly [born: number, died: number]

const poisson = ({ exponential }: Random, perSecond: number): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (let t = exponential(1000 / perSecond); t < end; t += exponential(1000 / perSecond)) out.push(t)
  return out
}

const many = <A>(count: number, make: () => A): ReadonlyArray<A> => Array.from({ length: count }, make)

/** What bounded programs do. */
const healthy: Readonly<Record<string, (random: Random) => ReadonlyArray<Life>>> = {
  "daemons that are forked at the start": ({ between, integer }) =>
    many(integer(1, 500), () => [between(0, 1500), Infinity]),
  "a warm-up that gets slower and slower": ({ between, exponential, integer }) => {
    const mean = between(500, 3000)
    return many(integer(10, 500), () => [exponential(mean), Infinity])
  },
  "a burst at any time that stays": ({ between, integer }) => {
    const at = between(0, end - 2000)
    const width = between(50, 1500)
    return many(integer(10, 500), () => [at + between(0, width), Infinity])
  },
  "a burst at any time that goes": ({ between, exponential, integer }) => {
    const at = between(0, end - 2000)
    const width = between(50, 1500)
    const mean = between(500, 10_000)
    return many(integer(10, 500), () => {
      const born = at + between(0, width)
      return [born, born + exponential(mean)]
    })
  },
  "bursts again and again": ({ between, integer }) => {
    const every = between(2000, 12_000)
    const life = between(500, every)
    const out: Array<Life> = []
    for (let at = between(0, every); at < end; at += every) {
      for (let i = integer(5, 100); i > 0; i--) {
        const born = at + between(0, 500)
        out.push([born, born + life * between(0.8, 1.2)])
      }
    }
    return out
  },
  "a batch that is flushed every few seconds": (chance) => {
    const period = chance.between(2000, 13_000)
    const phase = chance.between(0, period)
    return poisson(chance, chance.between(1, 50)).map((born) => [
      born,
      (Math.floor((born + phase) / period) + 1) * period - phase
    ])
  },
  "ever more traffic": (chance) => {
    const mean = chance.between(100, 3000)
    return poisson(chance, chance.between(5, 100))
      .filter((born) => chance.next() < born / end)
      .map((born) => [born, born + chance.exponential(mean)])
  },
  "steady traffic of work that ends at any moment alike": (chance) => {
    const mean = chance.between(100, 8000)
    return poisson(chance, chance.between(0.5, 50)).map((born) => [born, born + chance.exponential(mean)])
  },
  "steady traffic of work that takes its time": (chance) => {
    const life = chance.between(100, 12_000)
    return poisson(chance, chance.between(0.5, 50)).map((born) => [born, born + life * chance.between(0.7, 1.3)])
  },
  "a cache that is full and drops its oldest": (chance) => {
    const perSecond = chance.between(1, 50)
    const born = poisson(chance, perSecond)
    const capacity = chance.integer(1, Math.ceil(perSecond * 8))
    return born.map((t, i) => [t, born[i + capacity] ?? Infinity])
  },
  "nothing": () => []
}

const judge = (lives: ReadonlyArray<Life>, age: number): Turnover.Turnover => {
  const record = Lifetimes.make()
  for (const [born, died] of lives) {
    record.recordBirth(born, 1)
    if (died < end) record.recordDeath(born, died, 1)
  }
  return Turnover.judge(record.all(), { start: 0, end }, age)
}

describe("Turnover", () => {
  describe.each(Object.entries(healthy))("never calls growing: %s", (_, lives) => {
    it.each([3000, 5000])("with an age of %d ms, in 500 runs", (age) => {
      for (const seed of seeds(500)) {
        const turnover = judge(lives(random(seed)), age)
        assert.notStrictEqual(turnover._tag, "growing", `seed ${seed}: ${JSON.stringify(turnover)}`)
      }
    })
  })

  it("calls a constant leak growing, alone and among traffic", () => {
    const leaks = {
      alone: (chance: Random) => poisson(chance, 3).map((born): Life => [born, Infinity]),
      fast: (chance: Random) => poisson(chance, 100).map((born): Life => [born, Infinity]),
      "among traffic": (chance: Random) => [
        ...poisson(chance, 5).map((born): Life => [born, Infinity]),
        ...poisson(chance, 30).map((born): Life => [born, born + chance.exponential(1000)])
      ]
    }
    for (const [name, lives] of Object.entries(leaks)) {
      const tags = seeds(500).map((seed) => judge(lives(random(seed)), 3000)._tag)
      assert.isAtLeast(tags.filter((tag) => tag === "growing").length, 470, name)
      assert.notInclude(tags, "steady", name)
    }
  })

  it("does not take a lull of uneven traffic for a container that is full", () => {
    const growing = seeds(300).filter((seed) => {
      const chance = random(seed)
      let wave = 0
      const lives = many(30, () => {
        wave = 0.5 * wave + 0.87 * chance.normal()
        return Math.max(0, 3 + 1.5 * wave)
      }).flatMap((requests, second) => {
        const leaves = many(8 * Math.round(requests), (): Life => [second * 1000, Infinity])
        return chance.next() < 0.1 ? [] : leaves
      })
      return judge(lives, 5000)._tag === "growing"
    })
    assert.isAtLeast(growing.length, 240)
  })

  it("leaves alone what was swept once or twice: the next sweep may be about to come", () => {
    const growing = seeds(500).filter((seed) => {
      const chance = random(seed)
      const period = chance.between(0.4 * end, 0.65 * end)
      const share = chance.between(0.3, 0.5)
      const lives = poisson(chance, 20).map((born): Life => {
        let sweep = Math.floor(born / period) + 1
        while (chance.next() > share) sweep++
        return [born, sweep * period]
      })
      return judge(lives, 5000)._tag === "growing"
    })
    assert.isAtMost(growing.length, 10)
  })

  it("does not take one group more that came together for a queue that grows", () => {
    // Rounds of a game: those under way at the start end ever later, as in a queue.
    const growing = seeds(500).filter((seed) => {
      const { between, exponential } = random(seed)
      const life = between(0.6 * end, 0.95 * end)
      const record = Lifetimes.make()
      const group = (born: number, died: number) => {
        record.recordBirth(born, 20)
        if (died < end) record.recordDeath(born, died, 20)
      }
      for (let i = 0; i < 20; i++) group(0, between(0, life))
      for (let born = exponential(life / 20); born < end; born += exponential(life / 20)) group(born, born + life)
      const options = { steadyTraffic: true, youngest: 3000 }
      return Turnover.judge(record.all(), { start: 0, end }, 5000, options)._tag === "growing"
    })
    assert.isAtMost(growing.length, 10)
  })

  it("does not take boards that are filled at random, anew since the middle of the run, for a leak", () => {
    assert.isAtMost(boards(), 15)
  })

  it("knows that times are told more finely than they are known", () => {
    // A queue too slow by a fifth. Births are told by the quarter of a second, and none in 0.7 s after each reading.
    const record = Lifetimes.make({ bucketMs: 250 })
    const told = (t: number) => 2000 * Math.floor(t / 2000) + 700 + 0.65 * (t % 2000)
    for (let i = 0, t = 0; t < end; t = ++i * 10) {
      record.recordBirth(told(t), 1)
      const served = 2000 * Math.ceil(t / 0.8 / 2000)
      if (served < end) record.recordDeath(told(t), served, 1)
    }
    const options = { steadyTraffic: true, youngest: 3000 }
    const judged = (resolution?: number) =>
      Turnover.judge(record.all(), { start: 0, end }, 3000, { ...options, resolution })._tag
    assert.strictEqual(judged(2000), "growing")
    assert.notStrictEqual(judged(), "growing")
  })

  it("counts what arrives at its age and departs, in the late half and at the end", () => {
    // Old at 10 s, so judged from 10 s on: the late half is 20 to 30 s, its last half 25 to 30 s.
    const lives = [
      { born: 0, died: 5000, count: 1000 }, // never old
      { born: 8000, died: 22_000, count: 5 }, // old at 18 s, early; departs late
      { born: 11_000, died: Infinity, count: 20 }, // old at 21 s
      { born: 16_000, died: 29_000, count: 3 }, // old at 26 s, departs at the end
      { born: 17_000, died: Infinity, count: 30 }, // old at 27 s
      { born: 25_000, died: Infinity, count: 500 } // not old yet
    ]
    const { age, last, late, old, perSecond, z } = Turnover.judge(lives, { start: 0, end }, 10_000)
    assert.deepStrictEqual({ age, last, late, old, perSecond }, {
      age: 10_000,
      late: { arrivals: 53, departures: 8 },
      last: { arrivals: 33, departures: 3 },
      old: 50,
      perSecond: 4.5
    })
    // The departures come in batches of five and three, so each batch counts once.
    assert.isBelow(z, 45 / Math.sqrt(61))
  })

  it("says of what speaks against growth what that is", () => {
    const whys = (
      births: (second: number) => number,
      deaths: ReadonlyArray<readonly [number, number, number]> = []
    ) => {
      const record = Lifetimes.make()
      for (let second = 0; second < 30; second++) record.recordBirth(second * 1000, births(second))
      for (const [born, died, count] of deaths) record.recordDeath(born, died, count)
      const { _tag, why } = Turnover.judge(record.all(), { start: 0, end }, 3000)
      return `${_tag}: ${why}`
    }
    const emptied = Array.from({ length: 14 }, (_, second) => [second * 1000, 14_000, second < 4 ? 38 : 9] as const)
    assert.deepStrictEqual([
      whys(() => 10),
      whys(() => 0),
      whys((second) => (second < 2 ? 100 : 0)),
      whys((second) => (second === 19 || second === 20 ? 100 : 0)),
      whys((second) => Math.round(100 * Math.exp(-second / 10))),
      whys((second) => (second < 4 ? 40 : 10), emptied),
      whys((second) => (second === 17 || second === 20 || second === 24 ? 2 : 0))
    ], [
      "growing: old objects keep arriving and hardly any is released",
      "steady: arrivals and departures are balanced",
      "steady: arrivals and departures are balanced",
      "unclear: most arrived at the same time",
      "unclear: it grows more and more slowly, as a cache does that fills up",
      "unclear: it is emptied now and then",
      "unclear: they are too few so far to distinguish growth from chance"
    ])
  })

  it("takes a queue that falls behind for growth when there is no more to do than before, else it doubts", () => {
    const lives = Array.from({ length: 30 }, (_, second) => [
      { born: second * 1000, died: Infinity, count: 35 },
      { born: second * 1000, died: second * 1000 + 5000, count: 65 }
    ]).flat()
    const window = { start: 0, end }
    assert.deepInclude(Turnover.judge(lives, window, 3000), {
      _tag: "unclear",
      why: "they are released in large batches, and the next may release them all"
    })
    assert.strictEqual(Turnover.judge(lives, window, 3000, { steadyTraffic: true })._tag, "growing")
    const keepsUp = Array.from({ length: 40 }, (_, second) => ({
      born: (second - 10) * 1000,
      died: (second - 5) * 1000,
      count: 100
    }))
    assert.strictEqual(Turnover.judge(keepsUp, window, 3000, { steadyTraffic: true })._tag, "steady")
  })

  it("doubts a queue that releases its oldest in large batches, where more remain each time", () => {
    // Forty a second come; every six seconds so many of the oldest go.
    const chunks = (each: number) => {
      const record = Lifetimes.make()
      for (let second = 0; second < 30; second++) record.recordBirth(second * 1000, 40)
      let gone = 0
      for (let t = 6000; t < end; t += 6000) {
        for (let n = 0; n < each && gone < t / 25; n++) record.recordDeath(1000 * Math.floor(gone++ / 40), t, 1)
      }
      return [true, false].map((steadyTraffic) =>
        Turnover.judge(record.all(), { start: 0, end }, 3000, { steadyTraffic })._tag
      )
    }
    assert.deepStrictEqual(chunks(150), ["unclear", "unclear"])
    assert.deepStrictEqual(chunks(240), ["steady", "steady"])
  })

  it("takes nothing for growth that came to rest in the last quarter, whatever happens to the traffic", () => {
    const lives = Array.from({ length: 280 }, (_, i) => ({ born: i * 50, died: Infinity, count: 1 }))
    const window = { start: 0, end: 30_000 }
    for (const work of [undefined, (_: number, to: number) => (to < 14_000 ? 1000 : 30)]) {
      const { _tag, last, late } = Turnover.judge(lives, window, 3750, { steadyTraffic: true, work })
      assert.deepStrictEqual([_tag, late.arrivals > 10, last.arrivals], ["steady", true, 0])
    }
  })

  it("doubts growth of which the last fifth is missing, however much there was in the quarter before", () => {
    const lives = (until: number) =>
      Array.from({ length: 5 * until }, (_, i) => ({ born: i * 200, died: Infinity, count: 1 }))
    const judge = (until: number) => Turnover.judge(lives(until), { start: 0, end: 30_000 }, 5000)
    assert.deepStrictEqual([judge(22).why, judge(24)._tag], ["growth may just have stopped", "growing"])
  })

  it("takes more for growth where more is asked for", () => {
    const record = Lifetimes.make()
    for (let second = 0; second < 30; second++) record.recordBirth(second * 1000, 4)
    const tag = (fewest: number) => Turnover.judge(record.all(), { start: 0, end }, 3000, { fewest })._tag
    assert.deepStrictEqual([10, 50, 80, 200].map(tag), ["growing", "growing", "unclear", "steady"])
  })

  it("judges a window like a recording that began with it", () => {
    const shift = 1_000_000
    for (const seed of seeds(50)) {
      const chance = random(seed)
      const lives = poisson(chance, 10).map((born) => [born, born + chance.exponential(4000)] as const)
      const shifted = lives.map(([born, died]) => ({ born: born + shift, died: died + shift, count: 1 }))
      const here = lives.map(([born, died]) => ({ born, died, count: 1 }))
      assert.deepStrictEqual(
        Turnover.judge(shifted, { start: shift, end: shift + end }, 3000).late,
        Turnover.judge(here, { start: 0, end }, 3000).late
      )
    }
  })

  it("judges a number of which only the sum is known", () => {
    const points = (value: (second: number) => number) =>
      Array.from({ length: 31 }, (_, second) => ({ t: second * 1000, value: value(second) }))
    const tag = (value: (second: number) => number) => Turnover.judgeGauge(points(value), { start: 0, end })._tag
    assert.strictEqual(tag((second) => 5 * second), "growing")
    assert.strictEqual(tag(() => 100), "steady")
    assert.strictEqual(tag((second) => (second < 5 ? 20 * second : 100)), "steady")
    assert.strictEqual(tag((second) => (second % 2) * 50), "steady")
  })
})
