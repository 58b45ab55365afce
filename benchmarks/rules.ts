/**
 * `pnpm run bench:rules`: how often each rule says "growing" of programs that do not leak, by simulation.
 *
 * Every scenario is a population of things with births and deaths (or a gauge), drawn anew for each run from a seed. The thresholds
 * of `Turnover.limits` come from here. Prints percentages with 95 % Wilson intervals.
 *
 * Options: `--runs 2000`, `--seed 1`, `--seconds 30,120`, `--scale 1,20` (how finely it is sampled: so many times the things).
 */
import { parseArgs } from "node:util"
import * as Lives from "../packages/detector/src/Lives.ts"
import { mannKendall, rises } from "../packages/detector/src/Trend.ts"
import * as Turnover from "../packages/detector/src/Turnover.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "30,120" },
    scale: { type: "string", default: "1,20" }
  }
})
const runs = Number(values.runs)

/** mulberry32: small, seeded, good enough for populations. */
const makeRandom = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Random = () => number

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random())

const poisson = (random: Random, mean: number): number => {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  let n = 0
  for (let p = Math.exp(-mean), product = random(); product > p; product *= random()) n++
  return n
}

interface Scenario {
  readonly name: string
  readonly leaks: boolean
  /** Births in each second, and how long a thing lives (seconds; Infinity: for ever). */
  readonly make: (random: Random, seconds: number, scale: number) => {
    readonly births: (second: number) => number
    readonly life: (second: number) => number
  }
}

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean
const between = (random: Random, low: number, high: number): number => low + (high - low) * random()

/** First come, first served, `perSecond` of them; `chunk` (seconds): they are let go that much at a time. */
const queue = (perSecond: number, chunk: number): (second: number) => number => {
  let free = 0
  return (second) => {
    free = Math.max(free, second) + 1 / perSecond
    return (chunk > 0 ? Math.ceil(free / chunk) * chunk : free) - second
  }
}

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "steady, exponential lives",
    leaks: false,
    make: (random, seconds) => {
      const mean = between(random, 1, seconds / 6)
      const rate = between(random, 1, 40)
      return { births: () => rate, life: () => exponential(random, mean) }
    }
  },
  {
    name: "steady, heavy-tailed lives",
    leaks: false,
    make: (random, seconds) => {
      const rate = between(random, 2, 40)
      return { births: () => rate, life: () => Math.min(seconds, 0.5 / (random() ** 0.8)) }
    }
  },
  {
    name: "autocorrelated traffic (AR 0.9)",
    leaks: false,
    make: (random, seconds) => {
      let x = 0
      const mean = between(random, 1, seconds / 6)
      return {
        births: () => Math.max(0, 15 * (1 + 0.5 * (x = 0.9 * x + 0.44 * normal(random)))),
        life: () => exponential(random, mean)
      }
    }
  },
  {
    name: "daemons at the start",
    leaks: false,
    make: (random, seconds) => {
      const until = between(random, 0.02, 0.25) * seconds
      return { births: (second) => (second < until ? 20 : 0), life: () => Infinity }
    }
  },
  {
    name: "cache, keys at random, fills early",
    leaks: false,
    make: (random, seconds) => {
      const tau = between(random, 0.02, 0.1) * seconds
      return { births: (second) => 60 * Math.exp(-second / tau), life: () => Infinity }
    }
  },
  {
    name: "cache, keys at random, fills late",
    leaks: false,
    make: (random, seconds) => {
      const tau = between(random, 0.1, 0.3) * seconds
      return { births: (second) => 60 * Math.exp(-second / tau), life: () => Infinity }
    }
  },
  {
    name: "the same, amid uneven traffic",
    leaks: false,
    make: (random, seconds) => {
      const tau = between(random, 0.1, 0.3) * seconds
      let x = 0
      return {
        births: (second) =>
          Math.max(0, 60 * Math.exp(-second / tau) * (1 + 0.5 * (x = 0.7 * x + 0.71 * normal(random)))),
        life: () => Infinity
      }
    }
  },
  {
    name: "cache, keys in order, full at half",
    leaks: false,
    make: (random, seconds) => {
      const full = between(random, 0.3, 0.6) * seconds
      return { births: (second) => (second < full ? 20 : 0), life: () => Infinity }
    }
  },
  {
    name: "bounded LRU",
    leaks: false,
    make: (random, seconds) => {
      const rate = between(random, 5, 40)
      const capacity = rate * between(random, 0.05, 0.3) * seconds
      return { births: () => rate, life: () => capacity / rate * between(random, 0.95, 1.05) }
    }
  },
  {
    name: "sawtooth: batches that are flushed",
    leaks: false,
    make: (random, seconds) => {
      const period = between(random, 0.1, 0.35) * seconds
      const phase = random() * period
      return { births: () => 20, life: (second) => period - ((second + phase) % period) }
    }
  },
  {
    name: "a burst",
    leaks: false,
    make: (random, seconds) => {
      const at = between(random, 0.2, 0.7) * seconds
      return {
        births: (second) => (second >= at && second < at + 3 ? 150 : 3),
        life: () => exponential(random, seconds / 10)
      }
    }
  },
  {
    name: "traffic ramp",
    leaks: false,
    make: (random, seconds) => {
      const mean = between(random, 1, seconds / 8)
      return { births: (second) => 5 + 40 * second / seconds, life: () => exponential(random, mean) }
    }
  },
  {
    name: "long but finite work",
    leaks: false,
    make: (random, seconds) => {
      const mean = between(random, 0.1, 0.3) * seconds
      return { births: () => 5, life: () => mean * between(random, 0.7, 1.3) }
    }
  },
  {
    name: "buckets that keep the last six each",
    leaks: false,
    make: (random, seconds) => {
      // Six more in the same bucket, and it is gone.
      const mean = between(random, 0.05, 0.4) * seconds / 6
      return {
        births: () => 8,
        life: () => Array.from({ length: 6 }, () => exponential(random, mean)).reduce((a, b) => a + b)
      }
    }
  },
  {
    name: "the same, filled half-way through the run",
    leaks: false,
    make: (random, seconds) => {
      const mean = between(random, 0.4, 0.6) * seconds / 6
      return {
        births: () => 8,
        life: () => Array.from({ length: 6 }, () => exponential(random, mean)).reduce((a, b) => a + b)
      }
    }
  },
  {
    name: "sessions that drop all they hold at once",
    leaks: false,
    make: (random, seconds) => {
      const mean = between(random, 1, seconds / 6)
      const sessions = Array.from({ length: Math.ceil(between(random, 1, 16)) }, () => {
        const ends: Array<number> = []
        for (
          let t = exponential(random, mean);
          ends.at(-1) === undefined || ends.at(-1)! < seconds;
          t += exponential(random, mean)
        ) {
          ends.push(t)
        }
        return ends
      })
      return {
        births: () => 15,
        life: (second) => {
          const ends = sessions[Math.floor(random() * sessions.length)]!
          return ends.find((end) => end > second)! - second
        }
      }
    }
  },
  {
    name: "queue near the limit of its consumer",
    leaks: false,
    make: (random, _seconds, scale) => {
      const rate = between(random, 5, 20)
      let x = 0
      return {
        births: () => Math.max(0, rate * (1 + 0.2 * (x = 0.8 * x + 0.6 * normal(random)))),
        life: queue(scale * rate / between(random, 0.8, 0.97), 0)
      }
    }
  },
  {
    name: "the same, let go in chunks",
    leaks: false,
    make: (random, seconds, scale) => {
      const rate = between(random, 5, 20)
      return {
        births: () => rate,
        life: queue(scale * rate / between(random, 0.8, 0.97), between(random, 0.05, 0.25) * seconds)
      }
    }
  },
  {
    name: "queue that works off a rush, in chunks",
    leaks: false,
    make: (random, seconds, scale) => {
      const rate = between(random, 5, 20)
      const from = between(random, 0.1, 0.3) * seconds
      const to = from + between(random, 0.1, 0.3) * seconds
      return {
        births: (second) => rate * (second >= from && second < to ? 1.8 : 0.6),
        life: queue(scale * rate, between(random, 0.02, 0.1) * seconds)
      }
    }
  },
  {
    name: "queue whose delay settles",
    leaks: false,
    make: (random, seconds) => {
      const delay = between(random, 0.15, 0.5) * seconds
      const tau = between(random, 0.1, 0.4) * seconds
      const rate = between(random, 5, 20)
      return { births: () => rate, life: (second) => delay * (1 - Math.exp(-second / tau)) + 0.5 }
    }
  },
  {
    name: "LEAK, consumer too slow by a half",
    leaks: true,
    make: (random, _seconds, scale) => {
      const rate = between(random, 10, 40)
      return { births: () => rate, life: queue(scale * rate / 2, 0) }
    }
  },
  {
    name: "LEAK, the same, let go in chunks",
    leaks: true,
    make: (random, seconds, scale) => {
      const rate = between(random, 10, 40)
      return { births: () => rate, life: queue(scale * rate / 2, between(random, 0.05, 0.25) * seconds) }
    }
  },
  {
    name: "LEAK, all stay, 2 a second",
    leaks: true,
    make: () => ({ births: () => 2, life: () => Infinity })
  },
  {
    name: "LEAK, 5 a second, uneven traffic",
    leaks: true,
    make: (random) => {
      let x = 0
      return { births: () => Math.max(0, 5 * (1 + 0.5 * (x = 0.5 * x + 0.87 * normal(random)))), life: () => Infinity }
    }
  },
  {
    name: "LEAK, 20 a second, a tenth stays",
    leaks: true,
    make: (random) => ({ births: () => 20, life: () => (random() < 0.1 ? Infinity : exponential(random, 0.5)) })
  },
  {
    name: "LEAK, 5 a second, amid steady work",
    leaks: true,
    make: (random) => ({ births: () => 25, life: () => (random() < 0.2 ? Infinity : exponential(random, 2)) })
  }
]

const simulate = (
  scenario: Scenario,
  random: Random,
  seconds: number,
  scale: number
): ReadonlyArray<Lives.Life> => {
  const lives = Lives.make()
  const { births, life } = scenario.make(random, seconds, scale)
  for (let second = 0; second < seconds; second++) {
    for (let n = poisson(random, scale * births(second)); n > 0; n--) {
      const died = second + life(second)
      lives.bear(second * 1000, 1)
      if (died < seconds) lives.die(second * 1000, died * 1000, 1)
    }
  }
  return [...lives.all()]
}

const wilson = (hits: number, n: number): string => {
  const z = 1.96
  const p = hits / n
  const middle = (p + z * z / (2 * n)) / (1 + z * z / n)
  const half = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
  const percent = (x: number) => (100 * x).toFixed(1)
  return `${percent(p).padStart(5)} % [${percent(Math.max(0, middle - half))}, ${percent(Math.min(1, middle + half))}]`
}

const numbers = (list: string): ReadonlyArray<number> => list.split(",").map(Number)

for (
  const [seconds, scale] of numbers(values.seconds).flatMap((s) => numbers(values.scale).map((n) => [s, n] as const))
) {
  const age = Math.max(3000, seconds * 1000 / 6)
  const window = { start: 0, end: seconds * 1000 }
  console.log(
    `\nTurnover, ${seconds} s, sampled ${scale} times as finely, ${runs} runs each: said "growing" / "unclear"`
  )
  for (const scenario of scenarios) {
    const random = makeRandom(Number(values.seed))
    let growing = 0
    let unclear = 0
    for (let run = 0; run < runs; run++) {
      const { _tag } = Turnover.judge(simulate(scenario, random, seconds, scale), window, age, {
        steadyTraffic: true,
        youngest: 3000
      })
      if (_tag === "growing") growing++
      if (_tag === "unclear") unclear++
    }
    console.log(`  ${scenario.name.padEnd(38)} ${wilson(growing, runs).padEnd(24)} ${wilson(unclear, runs)}`)
  }
}

const series: ReadonlyArray<readonly [name: string, make: (random: Random, n: number) => ReadonlyArray<number>]> = [
  ["flat", (random, n) => Array.from({ length: n }, () => normal(random))],
  ["AR(1) 0.7", (random, n) => ar(random, n, 0.7)],
  ["warm-up, tau 5", (random, n) => ar(random, n, 0.3).map((e, i) => e + 20 * (1 - Math.exp(-i / 5)))],
  ["warm-up, tau 10", (random, n) => ar(random, n, 0.3).map((e, i) => e + 20 * (1 - Math.exp(-i / 10)))],
  ["one step", (random, n) => {
    const at = Math.floor(between(random, 5, n - 5))
    return ar(random, n, 0.3).map((e, i) => e + (i >= at ? 6 : 0))
  }],
  ["sawtooth", (random, n) => {
    const phase = Math.floor(random() * 10)
    return ar(random, n, 0.3).map((e, i) => e + 6 * ((i + phase) % 10) / 10)
  }],
  ["LEAK, half a deviation a step", (random, n) => ar(random, n, 0.3).map((e, i) => e + 0.5 * i)]
]

const ar = (random: Random, n: number, phi: number): ReadonlyArray<number> => {
  let x = normal(random)
  return Array.from({ length: n }, () => (x = phi * x + Math.sqrt(1 - phi * phi) * normal(random)))
}

console.log(`\nHeap floor, 30 readings, ${runs} runs each: a suspicion, never a finding`)
console.log(`  ${"".padEnd(38)} ${"rises".padEnd(24)} Mann-Kendall alone, p < 0.01`)
for (const [name, make] of series) {
  const random = makeRandom(Number(values.seed))
  let trend = 0
  let alone = 0
  for (let run = 0; run < runs; run++) {
    const readings = make(random, 30)
    if (rises(readings)) trend++
    if (mannKendall(readings) > 2.326) alone++
  }
  console.log(`  ${name.padEnd(38)} ${wilson(trend, runs).padEnd(24)} ${wilson(alone, runs)}`)
}
