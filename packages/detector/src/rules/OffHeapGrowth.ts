/**
 * Memory outside of the JavaScript heap, buffers mostly, that stays after every collection.
 *
 * @since 0.1.0
 */
import type { Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { Observation } from "../Observation.ts"
import { describeSite } from "../Site.ts"
import type { Point } from "../TimeSeries.ts"
import { drift, slopePerSecond } from "../Trend.ts"
import { lengthOf } from "../Turnover.ts"
import type { Window } from "../Turnover.ts"
import { growingPlace } from "./MemorySites.ts"
import { trafficRises } from "./Traffic.ts"

const name = "OffHeapGrowth"

/** Lows without which their steps mean nothing. */
const fewest = 5

/** Milliseconds: V8 lets go of buffers some time after the collection that found them dead. */
const shortest = 800

/** Bytes: below this a pool of buffers that is refilled looks the same. */
const smallest = 1024 * 1024

/** And this share of what there was. */
const smallestShare = 0.1

/** Standard deviations of the steps: once in a thousand, once in a hundred, and once in twenty for those of the late half alone. */
const certainZ = 3.09
const suspiciousZ = 2.326
const lastZ = 1.645

/** What rises at the end by less than this share of how it did before has come to rest. */
const atRest = 0.3

/**
 * **Details**
 *
 * Individual buffers are not seen, only their sum, and V8 lets go of them some time after the collection that found them dead; so what
 * lives is taken to be the lowest from one major collection to the next. In the late two thirds of the window these lows rise step by
 * step, by Student's t of the steps with p < 0.001 (a sum that only wanders has steps of both signs), as fast at the end as before,
 * the whole by a tenth and by a megabyte at least, and not because there is more traffic. Node counts the bytes of a `Blob` among its
 * array buffers, and not among what is external; so both sums are looked at.
 *
 * @since 0.1.0
 * @category rules
 */
export const OffHeapGrowth: LeakRule = {
  name,
  check: (observation) => {
    const sums = (["external", "arrayBuffers"] as const).map((sum) => judge(observation, sum))
    const growing = sums.find(({ doubt }) => doubt === undefined)
    if (growing !== undefined) return judgement([finding(observation, growing)], [])
    const unclear = sums.find(({ doubt }) => doubt !== undefined && doubt !== "steady")
    return unclear === undefined ? ok : judgement([], [{
      rule: name,
      what: `memory outside of the heap grew by ${megabytes(unclear.grown)}`,
      why: unclear.doubt!,
      wouldTake: "a run twice as long"
    }])
  }
}

interface Growth {
  /** What speaks against growth. */
  readonly doubt: string | undefined
  readonly lows: ReadonlyArray<Point>
  readonly grown: number
  readonly perSecond: number
  readonly z: number
}

const judge = (observation: Observation, sum: "external" | "arrayBuffers"): Growth => {
  const { window } = observation
  const collections = observation.series("external.floor").map(({ t }) => t)
  const lateWindow = { start: window.start + lengthOf(window) / 3, end: window.end }
  const late = lows(observation.series(sum), collections, lateWindow)
  const values = late.map(({ value }) => value)
  const first = values[0] ?? 0
  const grown = (values.at(-1) ?? 0) - first
  const perSecond = slopePerSecond(late)
  const half = late.length >> 1
  const early = slopePerSecond(late.slice(0, half + 1))
  const last = slopePerSecond(late.slice(half))
  const z = drift(stepsOf(late))
  // What comes to rest rises less and less, and at the end by no more than chance.
  const goesOn = last >= 0.7 * early && drift(stepsOf(late.slice(half))) >= lastZ
  const enough = late.length >= fewest && perSecond > 0 && grown >= smallest && grown >= smallestShare * first
  const doubt = !enough || z < suspiciousZ || last < atRest * early
    ? "steady"
    : !goesOn
    ? "it grows more and more slowly"
    : trafficRises(observation)
    ? "traffic rises as well"
    : z < certainZ
    ? "too few readings so far"
    : undefined
  return { doubt, lows: late, grown, perSecond, z }
}

const finding = (observation: Observation, { grown, lows, perSecond, z }: Growth): Finding => {
  const place = growingPlace(observation, (chain) => chain.some(isBufferFrame))
    ?? growingPlace(observation, () => true)
  const site = place?.site ?? { name: "(buffers)" }
  return {
    kind: "off-heap-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(z),
    summary: `memory outside of the heap, buffers mostly, stays: ${megabytes(perSecond * 60)} more each minute`
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
        megabytes(lows[0]!.value)
      } to ${megabytes(lows.at(-1)!.value)}`
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

/** Bytes a millisecond, from each low to the next. */
const stepsOf = (lows: ReadonlyArray<Point>): ReadonlyArray<number> =>
  lows.slice(1).map(({ t, value }, i) => (value - lows[i]!.value) / (t - lows[i]!.t))

/** The lowest from each major collection to the next, at the time of the collection. */
const lows = (
  points: ReadonlyArray<Point>,
  collections: ReadonlyArray<number>,
  { end, start }: Window
): ReadonlyArray<Point> => {
  const within = collections.filter((t) => t >= start && t <= end)
  const found: Array<Point> = []
  for (const [i, t] of within.entries()) {
    const next = within[i + 1] ?? end
    if (next - t < shortest) continue
    const value = points.reduce(
      (low, point) => (point.t >= t && point.t < next ? Math.min(low, point.value) : low),
      Infinity
    )
    if (value < Infinity) found.push({ t, value })
  }
  return found
}

/** What node does to make a buffer, and V8 to make its handle. */
const isBufferFrame = ({ file, name }: Place): boolean =>
  file?.startsWith("node:buffer") === true || file?.startsWith("node:internal/buffer") === true
  || /Buffer|Array|allocate/.test(file === "" ? name : "")

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`
