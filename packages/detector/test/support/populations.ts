/** Simulated populations of objects or fibers with births and deaths. Those that do not leak are the null hypothesis of the detector. */
import type { Random } from "./random.ts"

/** The behaviour of a population in one run. */
export interface Behaviour {
  /** The mean number of births in a second of the run. */
  readonly births: (second: number) => number
  /** Whether `births` is the exact number instead of a mean. */
  readonly exactly?: boolean | undefined
  /** The lifetime in seconds of a member that is born at this time; `Infinity` means forever. */
  readonly life: (second: number) => number
  /** The number of healthy requests handled in a second. Default: 50. */
  readonly work?: ((second: number) => number) | undefined
}

export interface Population {
  readonly name: string
  readonly leaks: boolean
  /** `scale` is the factor for the number of members, which queues must take into account. */
  readonly make: (random: Random, seconds: number, scale: number) => Behaviour
}

/** A member of a population, with its times in seconds. */
export interface Member {
  readonly born: number
  readonly died: number
}

/** The lifetimes in a first-in-first-out queue that serves `perSecond`. With `chunk` > 0, departures happen every `chunk` seconds. */
const queue = (perSecond: number, chunk: number): (second: number) => number => {
  let free = 0
  return (second) => {
    free = Math.max(free, second) + 1 / perSecond
    return (chunk > 0 ? Math.ceil(free / chunk) * chunk : free) - second
  }
}

/** Traffic by the second: a factor around 1 with standard deviation `size` and autocorrelation `memory`. */
const uneven = (random: Random, memory: number, size: number): (second: number) => number => {
  let x = 0
  const factors: Array<number> = []
  return (second) => {
    while (factors.length <= second) {
      x = memory * x + Math.sqrt(1 - memory * memory) * random.normal()
      factors.push(Math.max(0, 1 + size * x))
    }
    return factors[second]!
  }
}

const requests = 50

/** Births that are caused by requests: `perSecond` at traffic 1. */
const causedBy = (traffic: (second: number) => number, perSecond: number): Pick<Behaviour, "births" | "work"> => ({
  births: (second) => perSecond * traffic(second),
  work: (second) => requests * traffic(second)
})

const sixOf = (random: Random, mean: number): number =>
  Array.from({ length: 6 }, () => random.exponential(mean)).reduce((a, b) => a + b)

const forever = (): number => Infinity

export const populations: ReadonlyArray<Population> = [
  {
    name: "steady, exponential lives",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(1, seconds / 6)
      const rate = random.between(1, 40)
      return { births: () => rate, life: () => random.exponential(mean) }
    }
  },
  {
    name: "steady, heavy-tailed lives",
    leaks: false,
    make: (random, seconds) => {
      const rate = random.between(2, 40)
      return { births: () => rate, life: () => Math.min(seconds, 0.5 / (random.next() ** 0.8)) }
    }
  },
  {
    name: "autocorrelated traffic (AR 0.9)",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(1, seconds / 6)
      return { ...causedBy(uneven(random, 0.9, 0.5), 15), life: () => random.exponential(mean) }
    }
  },
  {
    name: "daemons at the start",
    leaks: false,
    make: (random, seconds) => {
      const until = random.between(0.02, 0.25) * seconds
      return { births: (second) => (second < until ? 20 : 0), life: forever }
    }
  },
  {
    name: "cache, keys at random, fills early",
    leaks: false,
    make: (random, seconds) => {
      const tau = random.between(0.02, 0.1) * seconds
      return { births: (second) => 60 * Math.exp(-second / tau), life: forever }
    }
  },
  {
    name: "cache, keys at random, fills late",
    leaks: false,
    make: (random, seconds) => {
      const tau = random.between(0.1, 0.3) * seconds
      return { births: (second) => 60 * Math.exp(-second / tau), life: forever }
    }
  },
  {
    name: "cache, fills late, uneven traffic",
    leaks: false,
    make: (random, seconds) => {
      const tau = random.between(0.1, 0.3) * seconds
      const traffic = uneven(random, 0.7, 0.5)
      return {
        births: (second) => 60 * Math.exp(-second / tau) * traffic(second),
        work: (second) => requests * traffic(second),
        life: forever
      }
    }
  },
  {
    name: "cache, fills late, no other work",
    leaks: false,
    make: (random, seconds) => {
      const tau = random.between(0.1, 0.3) * seconds
      return { births: (second) => 60 * Math.exp(-second / tau), work: () => 0, life: forever }
    }
  },
  {
    name: "cache, keys in order, full at half",
    leaks: false,
    make: (random, seconds) => {
      const full = random.between(0.3, 0.6) * seconds
      return { births: (second) => (second < full ? 20 : 0), life: forever }
    }
  },
  {
    name: "bounded LRU",
    leaks: false,
    make: (random, seconds) => {
      const rate = random.between(5, 40)
      const capacity = rate * random.between(0.05, 0.3) * seconds
      return { births: () => rate, life: () => capacity / rate * random.between(0.95, 1.05) }
    }
  },
  {
    name: "full cache, evicts at random",
    leaks: false,
    make: (random, seconds) => {
      const rate = random.between(5, 40)
      const full = random.between(0.1, 0.5) * seconds
      // Nothing is evicted before the cache is full. From then on each arrival evicts a random entry.
      return { births: () => rate, life: (second) => Math.max(0, full - second) + random.exponential(full) }
    }
  },
  {
    name: "full cache, first in, first out",
    leaks: false,
    make: (random, seconds) => {
      const rate = random.between(5, 40)
      const full = random.between(0.2, 0.5) * seconds
      return { births: () => rate, life: () => full }
    }
  },
  {
    name: "sessions that end when they are idle",
    leaks: false,
    make: (random, seconds) => {
      const idle = random.between(0.02, 0.08) * seconds
      const again = random.between(0.3, 0.8)
      return {
        births: () => 15,
        life: () => {
          let life = idle
          while (random.next() < again) life += random.between(0, idle)
          return life
        }
      }
    }
  },
  {
    name: "sawtooth: batches that are flushed",
    leaks: false,
    make: (random, seconds) => {
      const period = random.between(0.1, 0.35) * seconds
      const phase = random.next() * period
      return { births: () => 20, life: (second) => period - ((second + phase) % period) }
    }
  },
  {
    name: "sweeps that remove a third to a half",
    leaks: false,
    make: (random, seconds) => {
      const period = random.between(0.4, 0.65) * seconds
      const share = random.between(0.3, 0.5)
      // Each sweep removes this share of the living members.
      return {
        births: () => 20,
        life: (second) => {
          let at = Math.floor(second / period) + 1
          while (random.next() > share) at++
          return at * period - second
        }
      }
    }
  },
  {
    name: "rounds of a game, twenty fibers each",
    leaks: false,
    make: (random, seconds, scale) => {
      const life = random.between(0.4, 0.95) * seconds
      const rooms = 20
      // Rounds that are under way at the start have only their remaining time.
      const started = Array.from({ length: rooms }, () => random.between(0, life))
      let room = { of: -1, members: 0, left: 0 }
      const births = Array.from({ length: seconds }, () => 20 * random.poisson(rooms / life))
      births[0] = 20 * rooms
      return {
        exactly: true,
        births: (second) => births[second]!,
        life: (born) => {
          const second = Math.floor(born)
          if (second !== room.of || room.members === 20 * scale) {
            room = { of: second, members: 0, left: second + (second === 0 ? started.pop() ?? life : life) }
          }
          room.members++
          return room.left - born
        }
      }
    }
  },
  {
    name: "cache, keys in order, full near the end",
    leaks: false,
    make: (random, seconds) => {
      // An age before the end: what comes later is not old yet.
      const full = random.between(0.72, 0.8) * seconds
      return { births: (second) => (second < full ? 20 : 0), life: forever }
    }
  },
  {
    name: "a burst in the late half",
    leaks: false,
    make: (random, seconds) => {
      const at = random.between(0.55, 0.68) * seconds
      const lasts = random.between(0.02, 0.06) * seconds
      return { births: (second) => (second >= at && second < at + lasts ? 60 : 0), life: forever }
    }
  },
  {
    name: "a burst",
    leaks: false,
    make: (random, seconds) => {
      const at = random.between(0.2, 0.7) * seconds
      return {
        births: (second) => (second >= at && second < at + 3 ? 150 : 3),
        life: () => random.exponential(seconds / 10)
      }
    }
  },
  {
    name: "overlapping jobs with many objects each",
    leaks: false,
    make: (random, seconds) => {
      const period = Math.max(2, Math.round(random.between(0.08, 0.3) * seconds))
      const phase = random.integer(0, period - 1)
      const life = period * random.between(0.5, 1.8)
      return { births: (second) => ((second + phase) % period === 0 ? 80 : 0), life: () => life }
    }
  },
  {
    name: "day and night",
    leaks: false,
    make: (random, seconds) => {
      const period = random.between(0.3, 1.5) * seconds
      const phase = random.between(0, 2 * Math.PI)
      const mean = random.between(1, seconds / 8)
      const traffic = (second: number) => 1 + 0.8 * Math.sin(2 * Math.PI * second / period + phase)
      return { ...causedBy(traffic, 15), life: () => random.exponential(mean) }
    }
  },
  {
    name: "traffic that rises until the middle",
    leaks: false,
    make: (random, seconds) => {
      const top = random.between(0.3, 0.6) * seconds
      const mean = random.between(1, seconds / 8)
      const traffic = (second: number) => 0.2 + Math.min(1, second / top)
      return { ...causedBy(traffic, 25), life: () => random.exponential(mean) }
    }
  },
  {
    name: "traffic ramp",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(1, seconds / 8)
      const traffic = (second: number) => 1 + 8 * second / seconds
      return { ...causedBy(traffic, 5), life: () => random.exponential(mean) }
    }
  },
  {
    name: "traffic ramp, uneven",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(1, seconds / 8)
      const waves = uneven(random, 0.7, 0.3)
      const traffic = (second: number) => (1 + 8 * second / seconds) * waves(second)
      return { ...causedBy(traffic, 5), life: () => random.exponential(mean) }
    }
  },
  {
    name: "long but finite work",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(0.1, 0.3) * seconds
      return { births: () => 5, life: () => mean * random.between(0.7, 1.3) }
    }
  },
  {
    name: "buckets that keep the last six each",
    leaks: false,
    make: (random, seconds) => {
      // A member leaves after six more arrivals in the same bucket.
      const mean = random.between(0.05, 0.4) * seconds / 6
      return { births: () => 8, life: () => sixOf(random, mean) }
    }
  },
  {
    name: "such buckets, full after half of the run",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(0.4, 0.6) * seconds / 6
      return { births: () => 8, life: () => sixOf(random, mean) }
    }
  },
  {
    name: "sessions that drop all they hold at once",
    leaks: false,
    make: (random, seconds) => {
      const mean = random.between(1, seconds / 6)
      const sessions = Array.from({ length: random.integer(1, 16) }, () => {
        const ends: Array<number> = []
        for (let t = 0; t < seconds;) ends.push(t += random.exponential(mean))
        return ends
      })
      return { births: () => 15, life: (second) => random.pick(sessions).find((end) => end > second)! - second }
    }
  },
  {
    name: "queue near the limit of its consumer",
    leaks: false,
    make: (random, _seconds, scale) => {
      const rate = random.between(5, 40)
      const traffic = uneven(random, 0.8, 0.2)
      return { ...causedBy(traffic, rate), life: queue(scale * rate / random.between(0.8, 0.99), 0) }
    }
  },
  {
    name: "queue near its limit, departs in chunks",
    leaks: false,
    make: (random, seconds, scale) => {
      const rate = random.between(5, 20)
      return {
        births: () => rate,
        life: queue(scale * rate / random.between(0.8, 0.97), random.between(0.05, 0.25) * seconds)
      }
    }
  },
  {
    name: "queue that drains a rush, in chunks",
    leaks: false,
    make: (random, seconds, scale) => {
      const rate = random.between(5, 20)
      const from = random.between(0.1, 0.3) * seconds
      const to = from + random.between(0.1, 0.3) * seconds
      return {
        births: (second) => rate * (second >= from && second < to ? 1.8 : 0.6),
        life: queue(scale * rate, random.between(0.02, 0.1) * seconds)
      }
    }
  },
  {
    name: "queue whose delay settles",
    leaks: false,
    make: (random, seconds) => {
      // With a longer delay it has not settled by the end of the run, and is indistinguishable from a leak.
      const delay = random.between(0.15, 0.35) * seconds
      const tau = random.between(0.1, 0.2) * seconds
      const rate = random.between(5, 20)
      return { births: () => rate, life: (second) => delay * (1 - Math.exp(-second / tau)) + 0.5 }
    }
  },
  {
    name: "LEAK, consumer too slow by a half",
    leaks: true,
    make: (random, _seconds, scale) => {
      const rate = random.between(10, 40)
      return { births: () => rate, life: queue(scale * rate / 2, 0) }
    }
  },
  {
    name: "LEAK, consumer too slow, in chunks",
    leaks: true,
    make: (random, seconds, scale) => {
      const rate = random.between(10, 40)
      return { births: () => rate, life: queue(scale * rate / 2, random.between(0.05, 0.25) * seconds) }
    }
  },
  {
    name: "LEAK, 2 a second, all are retained",
    leaks: true,
    make: () => ({ births: () => 2, life: forever })
  },
  {
    name: "LEAK, 5 a second, uneven traffic",
    leaks: true,
    make: (random) => ({ ...causedBy(uneven(random, 0.5, 0.5), 5), life: forever })
  },
  {
    name: "LEAK, 20 a second, a tenth is retained",
    leaks: true,
    make: (random) => ({ births: () => 20, life: () => (random.next() < 0.1 ? Infinity : random.exponential(0.5)) })
  },
  {
    name: "LEAK, 5 a second, during steady work",
    leaks: true,
    make: (random) => ({ births: () => 25, life: () => (random.next() < 0.2 ? Infinity : random.exponential(2)) })
  },
  {
    name: "LEAK, consumer too slow by a fifth",
    leaks: true,
    make: (random, _seconds, scale) => {
      const rate = random.between(10, 40)
      return { births: () => rate, life: queue(scale * rate * 0.8, 0) }
    }
  },
  {
    name: "LEAK, 5 a second, begins late",
    leaks: true,
    make: (random, seconds) => {
      const from = random.between(0.2, 0.4) * seconds
      return { births: (second) => (second < from ? 0 : 5), life: forever }
    }
  },
  {
    name: "LEAK, 20 per job, a job every few seconds",
    leaks: true,
    make: (random) => {
      const period = random.integer(3, 5)
      return { births: (second) => (second % period === 0 ? 20 : 0), life: forever }
    }
  },
  {
    name: "LEAK, 5 a second, day and night",
    leaks: true,
    make: (random, seconds) => {
      const period = random.between(0.3, 1.5) * seconds
      const phase = random.between(0, 2 * Math.PI)
      return { ...causedBy((second) => 1 + 0.8 * Math.sin(2 * Math.PI * second / period + phase), 5), life: forever }
    }
  },
  {
    name: "LEAK, 4 a second, beside batches",
    leaks: true,
    make: (random, seconds) => {
      const period = random.between(0.1, 0.3) * seconds
      const phase = random.next() * period
      return {
        births: () => 24,
        life: (second) => (random.next() < 1 / 6 ? Infinity : period - ((second + phase) % period))
      }
    }
  },
  {
    name: "LEAK, 5 a second, beside a bounded LRU",
    leaks: true,
    make: (random, seconds) => {
      const capacity = random.between(0.05, 0.3) * seconds
      return { births: () => 25, life: () => (random.next() < 0.2 ? Infinity : capacity * random.between(0.95, 1.05)) }
    }
  }
]

/** One run of a population. */
export interface Run {
  readonly seconds: number
  readonly members: ReadonlyArray<Member>
  /** The number of requests handled by the end of each second, beginning with second 0. */
  readonly done: ReadonlyArray<number>
}

/** Runs a population. Births are uniformly distributed within their second. */
export const run = ({ make }: Population, random: Random, seconds: number, scale = 1): Run => {
  const { births, exactly = false, life, work = () => requests } = make(random, seconds, scale)
  const out: Array<Member> = []
  const done = [0]
  for (let second = 0; second < seconds; second++) {
    const born = scale * births(second)
    const times = Array.from({ length: exactly ? born : random.poisson(born) }, () => second + random.next())
    // A queue needs its arrivals in order of time.
    for (const born of times.sort((a, b) => a - b)) out.push({ born, died: born + life(born) })
    done.push(done.at(-1)! + Math.round(work(second)))
  }
  return { seconds, members: out, done }
}
