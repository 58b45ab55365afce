/** Memory outside of the JavaScript heap, buffers mostly, that stays after every collection. */
import type { Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import * as Lows from "../statistics/Minima.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { lateOf, lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { growingPlace } from "./evidence/MemorySites.ts"
import { doubtOf, doubtOfDoubling, trafficRises } from "./evidence/Traffic.ts"

const name = "OffHeapGrowth"

/** Milliseconds: V8 lets go of buffers some time after the collection that found them dead. */
const shortest = 800

/** Bytes: below this a pool of buffers that is refilled looks the same. */
const smallest = 1024 * 1024

/** The lowest of each sum of the bytes outside of the heap, from one collection to the next that left V8 the time to let go. */
const lowsOf = (observation: Observation): ReadonlyArray<ReadonlyArray<Point>> => {
  const { end } = observation.window
  const collections = observation.series("external.floor").map(({ t }) => t)
  const moments = collections.filter((t, i) => (collections[i + 1] ?? end) - t >= shortest)
  return (["external", "arrayBuffers"] as const).map((sum) => Lows.between(observation.series(sum), moments, end))
}

/** Bytes a second outside of the heap that would have been found in this run; `Infinity` where collections were too few. */
export const detectableOffHeap = (observation: Observation): number => {
  const late = lateOf(observation.window)
  const lows = lowsOf(observation).map((all) => all.filter(({ t }) => t >= late.start))
  const least = smallest / (lengthOf(late) / 1000)
  return Math.max(least, ...lows.map(Lows.detectable))
}

/**
 * **Details**
 *
 * Individual buffers are not seen, only their sum, and V8 lets go of them some time after the collection that found them dead; so what
 * lives is taken to be the lowest from one major collection to the next. In the late two thirds of the window these {@link Lows} rise,
 * by a megabyte at least, and not because there is more traffic. Node counts the bytes of a `Blob` among its array buffers, and not among
 * what is external; so both sums are looked at.
 */
export const OffHeapGrowth: LeakRule = {
  name,
  check: (observation) => {
    const late = lateOf(observation.window)
    const sums = lowsOf(observation)
    const rises = sums.map((lows) => Lows.judge(lows.filter(({ t }) => t >= late.start), smallest))
    const rise = rises.find(({ _tag }) => _tag === "rising") ?? rises.find(({ _tag }) => _tag !== "steady")
    if (rise === undefined) {
      const [doubling] = sums.flatMap((lows) => Lows.doubling(lows, observation.window, smallest) ?? [])
      return doubling === undefined ? ok : judgement([], [suspicion(doubling.grown, doubtOfDoubling)])
    }
    const doubt = doubtOf(rise, trafficRises(observation))
    return doubt === undefined
      ? judgement([finding(observation, rise)], [])
      : judgement([], [suspicion(rise.grown, doubt)])
  }
}

const suspicion = (grown: number, why: string): Suspicion => ({
  rule: name,
  what: `memory outside of the heap grew by ${size(grown)}`,
  why,
  wouldTake: "a run twice as long"
})

const finding = (observation: Observation, { grown, lows, perSecond, z }: Lows.Rise): Finding => {
  const place = growingPlace(observation, (chain) => chain.some(isBufferFrame))
    ?? growingPlace(observation, () => true)
  const site = place?.site ?? { name: "(buffers)" }
  return {
    kind: "off-heap-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(z),
    summary: `memory outside of the heap, buffers mostly, stays: ${size(perSecond * 60)} more each minute`
      + (place === undefined ? "" : `, kept by what ${describeSite(place.site)} allocates`),
    site,
    chain: place?.chain ?? [],
    waits: [],
    count: 0,
    bytes: Math.round(grown),
    growth: { perSecond, unit: "bytes" },
    survivors: [],
    evidence: [{
      label: "lows",
      text: `from each of ${lows.length} collections to the next, in the late two thirds, the lowest rises from ${
        size(lows[0]!.value)
      } to ${size(lows.at(-1)!.value)}`
    }],
    cannotShow: place === undefined
      ? "Who allocated it: V8 samples the heap only."
      : "Whether it is the same objects: V8 samples the heap only, and of a buffer only its handle lies there.",
    fix:
      "Look for buffers, typed arrays and compressed streams that are kept (a slice keeps the whole buffer: copy what you keep).",
    docs: docsOf("off-heap-growth"),
    fingerprint: fingerprint("off-heap-growth", site),
    pid: observation.hello?.pid ?? 0
  }
}

/** What node does to make a buffer, and V8 to make its handle. */
const isBufferFrame = ({ file, name }: Place): boolean =>
  file?.startsWith("node:buffer") === true || file?.startsWith("node:internal/buffer") === true
  || /Buffer|Array|allocate/.test(file === "" ? name : "")
