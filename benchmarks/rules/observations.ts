/** What an agent would have said of these populations and numbers, so that whole rules can be asked, and not their arithmetic only. */
import type { Floor, Message } from "../../packages/detector/src/agent/Protocol.ts"
import * as Observation from "../../packages/detector/src/observation/Observation.ts"
import type { Member, Run } from "../../packages/detector/test/support/populations.ts"
import type { Random } from "../../packages/detector/test/support/random.ts"
import { observe, opening, place, readings, tick } from "../../packages/detector/test/support/simulate.ts"
import type { Life } from "../../packages/detector/test/support/simulate.ts"

/** Seconds between two readings, and bytes that a sampled object stands for: a late half of 30 s with 5 a second is above 128 KB. */
const readingEvery = 2
const bytesEach = 8192
const bufferBytes = 65_536
const largeBytes = 131_072

const livesOf = (members: ReadonlyArray<Member>): ReadonlyArray<Life> =>
  members.map(({ born, died }) => [born * 1000, died * 1000])

/** How many were born by the end of each second, and how many of them live then. */
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

/** Each request is a fiber that ends. */
const fibersOf = ({ done }: Run, t: number) => {
  const ended = done[t / 1000]!
  return { fibers: { started: ended, ended, abandoned: 0, live: 0, tenured: 0 } }
}

/** They are fibers of one site. */
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

/** They are objects of one function, sampled, and the heap floor is as high as they make it. */
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

/** Each is a fiber that is collected without an end when it should have died; those that live on are not. */
export const asAbandoned = (members: ReadonlyArray<Member>, seconds: number): Observation.Observation =>
  observe(seconds, { handle: livesOf(members) }, { end: "abandoned" })

/** They are buffers, which V8 lets go at the first reading after they died. */
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

/** They are large objects of one function, all of which are sampled. */
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

/** It is the number of open sockets. */
export const asSockets = (values: ReadonlyArray<number>): Observation.Observation =>
  observe(values.length, {}, { tick: (t) => ({ resources: { TCPSocketWrap: values[t / 1000 - 1]! } }) })

/** It is a metric of a service that watches itself: a gauge, and how many series there are, read every ten seconds. */
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

/** It is the heap floor, in megabytes. */
export const asFloor = (values: ReadonlyArray<number>): Observation.Observation =>
  observe(values.length * readingEvery, {}, {
    tick: (t) => ({ floors: floorOf(t / 1000, 1e6 * (values[t / 1000 / readingEvery - 1] ?? 0)) })
  })
