/** Memory outside of the JavaScript heap, mostly buffers, that remains after every collection. */
import type { Place } from "../agent/Protocol.ts"
import * as Findings from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import { limits } from "../statistics/limits.ts"
import * as Minima from "../statistics/Minima.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { lateOf, lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { growingPlace } from "./evidence/MemorySites.ts"
import { doubtOf, doubtOfDoubling, trafficRises } from "./evidence/Traffic.ts"

const name = "OffHeapGrowth"

/** The minimum of each sum of the bytes outside of the heap between two collections: V8 frees a buffer some time after the first. */
const lowsOf = (observation: Observation): ReadonlyArray<ReadonlyArray<Point>> => {
  const { end } = observation.window
  const collections = observation.series("external.floor").map(({ t }) => t)
  return (["external", "arrayBuffers"] as const).map((sum) => Minima.between(observation.series(sum), collections, end))
}

/** Bytes a second outside of the heap that would have been found; `Infinity` where collections were too few. */
const detectable = (observation: Observation): number => {
  const late = lateOf(observation.window)
  const lows = lowsOf(observation).map((all) => all.filter(({ t }) => t >= late.start))
  return Math.max(limits.programBytes / (lengthOf(late) / 1000), ...lows.map(Minima.detectable))
}

/**
 * Individual buffers are not known, only their sum, and V8 frees them some time after the collection that found them dead. So the sum is
 * its minimum between two major collections. In the late two thirds of the run these {@link Minima} rise, by a megabyte at least, and not
 * because traffic rises. Node counts the bytes of a `Blob` among its array buffers and not among external memory, so both sums are judged.
 */
export const OffHeapGrowth = LeakRule.make({
  name,
  explainedBy: { kinds: ["fiber-growth", "abandoned-fibers", "memory-growth"], where: "anywhere" },
  detectable: (observation) => ({ perSecond: detectable(observation), where: "in buffers" }),
  find: (observation) => {
    const late = lateOf(observation.window)
    const sums = lowsOf(observation)
    const rises = sums.map((lows) => Minima.judge(lows.filter(({ t }) => t >= late.start), limits.programBytes))
    const rise = rises.find(({ _tag }) => _tag === "rising") ?? rises.find(({ _tag }) => _tag !== "steady")
    const doubt = (grown: number, why: string) => ({
      suspicions: [{
        what: `memory outside of the heap grew by ${size(grown)}`,
        why,
        wouldTake: "a run twice as long"
      }]
    })
    if (rise === undefined) {
      const [doubling] = sums.flatMap((lows) => Minima.doubling(lows, observation.window, limits.programBytes) ?? [])
      return doubling === undefined ? {} : doubt(doubling.grown, doubtOfDoubling)
    }
    const why = doubtOf(rise, trafficRises(observation))
    return why === undefined ? { findings: [findingOf(observation, rise)] } : doubt(rise.grown, why)
  }
})

const findingOf = (observation: Observation, { grown, lows, perSecond, z }: Minima.Rise): Finding => {
  const place = growingPlace(observation, (chain) => chain.some(isBufferFrame))
    ?? growingPlace(observation, () => true)
  return Findings.make({
    kind: "off-heap-growth",
    rule: name,
    decided: Findings.decidedBy({ row: "minima", z }),
    summary: `buffers (memory outside of the heap) grow by ${size(perSecond)}/s`
      + (place === undefined ? "" : `; ${describeSite(place.site)} probably creates them`),
    site: place?.site ?? { name: "(buffers)" },
    chain: place?.chain ?? [],
    bytes: Math.round(grown),
    growth: { perSecond, unit: "bytes" },
    evidence: [{
      label: "minima",
      text:
        `the least memory between ${lows.length} garbage collections, in the late two thirds of the run, rose from ${
          size(lows[0]!.value)
        } to ${size(lows.at(-1)!.value)}`
    }],
    cannotShow: place === undefined
      ? "which function creates them: V8 samples the heap only."
      : "for certain which function creates them: V8 samples the small object of a buffer on the heap, and not the buffer.",
    fix:
      "Look for buffers, typed arrays and compressed streams that are kept. A slice keeps the whole buffer: copy what you keep."
  })
}

/** Functions of Node that make a buffer, and of V8 that make its handle. */
const isBufferFrame = ({ file, name }: Place): boolean =>
  file?.startsWith("node:buffer") === true || file?.startsWith("node:internal/buffer") === true
  || /Buffer|Array|allocate/.test(file === "" ? name : "")
