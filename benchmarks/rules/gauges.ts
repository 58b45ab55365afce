/** Simulated gauges, one value per second: open sockets, bytes of buffers, series of a metric. Only the sum of their parts is known. */
import { run } from "../../packages/detector/test/support/populations.ts"
import type { Behaviour } from "../../packages/detector/test/support/populations.ts"
import type { Random } from "../../packages/detector/test/support/random.ts"

export interface Gauge {
  readonly name: string
  readonly leaks: boolean
  /** The value at the end of each second. */
  readonly make: (random: Random, seconds: number) => ReadonlyArray<number>
}

/** The number of living members of a population at the end of each second. */
const alive = (random: Random, seconds: number, behaviour: Behaviour): ReadonlyArray<number> => {
  const counts = new Array<number>(seconds).fill(0)
  for (const { born, died } of run({ name: "", leaks: false, make: () => behaviour }, random, seconds).members) {
    for (let second = Math.ceil(born); second < Math.min(seconds, died); second++) counts[second]!++
  }
  return counts
}

const connections = (random: Random, seconds: number, perSecond: (second: number) => number) => {
  const mean = random.between(0.5, seconds / 8)
  return alive(random, seconds, { births: perSecond, life: () => random.exponential(mean) })
}

export const gauges: ReadonlyArray<Gauge> = [
  {
    name: "steady arrivals and departures",
    leaks: false,
    make: (random, seconds) => {
      const rate = random.between(1, 20)
      return connections(random, seconds, () => rate)
    }
  },
  {
    name: "waves of traffic",
    leaks: false,
    make: (random, seconds) => {
      const period = random.between(0.2, 0.5) * seconds
      const phase = random.next() * 2 * Math.PI
      return connections(random, seconds, (second) => 10 * (1 + 0.8 * Math.sin(2 * Math.PI * second / period + phase)))
    }
  },
  {
    name: "bursts of work",
    leaks: false,
    make: (random, seconds) => connections(random, seconds, () => random.between(0, 60))
  },
  {
    name: "a pool that is full after half of the run",
    leaks: false,
    make: (random, seconds) => {
      const until = random.between(0.1, 0.5) * seconds
      const most = random.integer(10, 100)
      return Array.from({ length: seconds }, (_, second) => Math.round(most * Math.min(1, second / until)))
    }
  },
  {
    name: "all clients reconnect after an outage",
    leaks: false,
    make: (random, seconds) => {
      const at = random.between(0.2, 0.7) * seconds
      const most = random.integer(20, 200)
      return Array.from(
        { length: seconds },
        (_, second) =>
          second < at ? most : second < at + 3 ? 0 : Math.round(most * (1 - Math.exp((at + 3 - second) / 3)))
      )
    }
  },
  {
    name: "batches that are flushed",
    leaks: false,
    make: (random, seconds) => {
      const period = random.between(0.1, 0.35) * seconds
      const phase = random.next() * period
      return Array.from({ length: seconds }, (_, second) => Math.round(5 * ((second + phase) % period)))
    }
  },
  {
    name: "a number that wanders",
    leaks: false,
    make: (random, seconds) => {
      let value = random.integer(20, 100)
      return Array.from({ length: seconds }, () => value = Math.max(0, value + random.integer(-2, 2)))
    }
  },
  {
    name: "names that appear for the first time",
    leaks: false,
    make: (random, seconds) => {
      const tau = random.between(0.05, 0.2) * seconds
      const most = random.integer(20, 300)
      return Array.from({ length: seconds }, (_, second) => Math.round(most * (1 - Math.exp(-second / tau))))
    }
  },
  {
    name: "LEAK, 1 a second",
    leaks: true,
    make: (random, seconds) => alive(random, seconds, { births: () => 1, life: () => Infinity })
  },
  {
    name: "LEAK, 3 a second, during steady work",
    leaks: true,
    make: (random, seconds) => {
      const work = connections(random, seconds, () => 5)
      const leak = alive(random, seconds, { births: () => 3, life: () => Infinity })
      return work.map((count, second) => count + leak[second]!)
    }
  },
  {
    name: "LEAK, 3 a second, during bursts of work",
    leaks: true,
    make: (random, seconds) => {
      const work = connections(random, seconds, () => random.between(0, 60))
      const leak = alive(random, seconds, { births: () => 3, life: () => Infinity })
      return work.map((count, second) => count + leak[second]!)
    }
  }
]
