/** Observations of the simulated populations and gauges, as an agent would report them, so that complete rules can be tested. */
import type { Floor, Message } from "../../packages/detector/src/agent/Protocol.ts"
import * as Observation from "../../packages/detector/src/observation/Observation.ts"
import type { Member, Run } from "../../packages/detector/test/support/populations.ts"
import type { Random } from "../../packages/detector/test/support/random.ts"
import { observe, opening, place, readings, tick } from "../../packages/detector/test/support/simulate.ts"
import type { Life } from "../../packages/detector/test/support/simulate.ts"

/** Seconds between two readings. */
const readingEvery = 2
/** Bytes that a sampled object stands for: with 5 objects per second, the late half of 30 s has more than 128 KB. */
const bytesEach = 8192
const bufferBytes = 65_536
const largeBytes = 131_072

const livesOf = (members: ReadonlyArray<Member>): ReadonlyArray<Life> =>
  members.map(({ born, died }) => [born * 1000, died * 1000])

/** The number of members born by the end of each second, and the number alive then. */
const countsOf = (members: ReadonlyArray<Member>, seconds: number) => {
  const born = new Array<number>(seconds + 1).fill(0)
  const dead = new Array<number>(seconds + 1).fill(0)
  for (const member of members) {
    born[Math.ceil(member.born)]!++
    if (member.died < seconds) dead[Math.ceil(member.died)]!++
  }
  for (let second = 1; second <= seconds; second++) {
    born[second]! += born[second - 1]!
    dead[second]! += dead[second - 1]!
  }
  return { started: born, alive: born.map((count, second) => count - dead[second]!) }
}

/** The counts of fibers for the requests, each of which is a fiber that ends. */
const fibersOf = ({ done }: Run, t: number) => {
  const ended = done[t / 1000]!
  return { fibers: { started: ended, ended, abandoned: 0, live: 0, tenured: 0 } }
}

/** The members as fibers of one site. */
export const asFibers = (run: Run): Observation.Observation => {
  const { members, seconds } = run
  const { alive, started } = countsOf(members, seconds)
  return observe(seconds, { handle: livesOf(members) }, {
    tick: (t) => {
      const { fibers } = fibersOf(run, t)
      const born = started[t / 1000]!
      const live = alive[t / 1000]!
      return {
        fibers: { ...fibers, started: fibers.started + born, ended: fibers.ended + born - live, live, tenured: live }
      }
    }
  })
}

/** The members as sampled objects of one function. The heap floor follows their size. */
export const asMemory = (run: Run, random: Random): Observation.Observation => {
  const { members, seconds } = run
  const { alive } = countsOf(members, seconds)
  const frames = [place("add", "/app/src/table.ts", 7), place("handle", "/app/src/server.ts", 9)]
  return observe(seconds, {}, {
    more: readings(seconds, [{ frames, lives: livesOf(members), bytes: bytesEach }]),
    tick: (t) => ({
      ...fibersOf(run, t),
      floors: floorOf(t / 1000, 2e7 + bytesEach * alive[t / 1000]! + 30_000 * random.normal())
    })
  })
}

const floorOf = (second: number, bytes: number, external?: number): ReadonlyArray<Floor> =>
  second % readingEvery === 0 ? [{ t: second * 1000, bytes, forced: true, external }] : []

/** The members as fibers that are collected without having ended, at the time of their death. Survivors are not collected. */
export const asAbandoned = (members: ReadonlyArray<Member>, seconds: number): Observation.Observation =>
  observe(seconds, { handle: livesOf(members) }, { end: "abandoned" })

/** The members as buffers, which V8 releases at the first reading after their death. */
export const asBuffers = (run: Run, random: Random): Observation.Observation => {
  const { members, seconds } = run
  const kept = countsOf(
    members.map(({ born, died }) => ({ born, died: readingEvery * Math.ceil(died / readingEvery) })),
    seconds
  ).alive
  const external = kept.map((count) => 1e7 + bufferBytes * count + 20_000 * random.normal())
  return observe(seconds, {}, {
    tick: (t) => ({
      ...fibersOf(run, t),
      memory: { heapUsed: 2e7, heapLimit: 4e9, rss: 1e8, external: external[t / 1000]!, arrayBuffers: 0 },
      floors: floorOf(t / 1000, 2e7, external[t / 1000]!)
    })
  })
}

/** The members as large objects of one function, all of which are sampled. */
export const asLargeObjects = (run: Run, random: Random): Observation.Observation => {
  const { members, seconds } = run
  const { alive } = countsOf(members, seconds)
  return observe(seconds, {}, {
    more: readings(seconds, [{
      frames: [place("add", "/app/src/table.ts", 7)],
      lives: livesOf(members),
      bytes: largeBytes
    }]),
    tick: (t) => ({
      ...fibersOf(run, t),
      floors: floorOf(t / 1000, 2e7 + largeBytes * alive[t / 1000]! + 30_000 * random.normal())
    })
  })
}

/** The gauge as the number of open sockets. */
export const asSockets = (values: ReadonlyArray<number>): Observation.Observation =>
  observe(values.length, {}, { tick: (t) => ({ resources: { TCPSocketWrap: values[t / 1000 - 1]! } }) })

/** The gauge as a metric of a service that watches itself: as a value and as a number of series, read every 10 s. */
export const asMetric = (values: ReadonlyArray<number>): Observation.Observation => {
  const observation = Observation.make()
  opening().forEach(observation.take)
  values.forEach((value, i) => {
    const t = (i + 1) * 10_000
    const read: Message = {
      type: "metrics",
      t,
      gauges: [["fiberscope_mailbox_size", value]],
      series: [["hits", value]]
    }
    observation.take(read)
    observation.take(tick(t))
  })
  return observation
}

/** The values as the heap floor in megabytes. */
export const asFloor = (values: ReadonlyArray<number>): Observation.Observation =>
  observe(values.length * readingEvery, {}, {
    tick: (t) => ({ floors: floorOf(t / 1000, 1e6 * (values[t / 1000 / readingEvery - 1] ?? 0)) })
  })
