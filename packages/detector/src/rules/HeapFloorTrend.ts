/** The heap floor rises and nothing else explains it: a reason for a longer run, never a finding. */
import * as LeakRule from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { limits } from "../statistics/limits.ts"
import * as Minima from "../statistics/Minima.ts"
import { lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { floorTrend } from "./evidence/HeapFloor.ts"
import { memoryWindow } from "./evidence/MemorySites.ts"
import { isSampled, sampledLimit } from "./evidence/sampledLimit.ts"
import { doubtOfDoubling } from "./evidence/Traffic.ts"

/** Readings without which a rise of the floor may be missed: the late half of the late two thirds must have the points of a trend. */
const fewestFloors = (): number => 2 * limits.points / (1 - limits.startUp)

/** Bytes a second below which a rise of the floor alone is not mentioned: code that V8 keeps. */
const unseen = (observation: Observation): number =>
  Math.max(sampledLimit(observation), limits.programBytes / (lengthOf(memoryWindow(observation)) / 2 / 1000))

export const HeapFloorTrend = LeakRule.make({
  name: "HeapFloorTrend",
  // Any leak explains the floor.
  explainedBy: { kinds: ["*"], where: "anywhere" },
  detectable: (observation) => ({ perSecond: unseen(observation), where: "in single large objects" }),
  find: (observation) => {
    const sampled = isSampled(observation)
    const { perSecond, why } = riseOf(observation)
    // Growth below what samples can show is named in the report; growth above it that no sample showed contradicts them.
    const seen = sampledLimit(observation) !== Infinity
    if (why === undefined || (seen && perSecond < unseen(observation))) return {}
    return {
      suspicions: [{
        what: `the heap floor rises by ${size(perSecond)}/s`,
        why: sampled ? why : "the floor alone does not distinguish a leak from a warm-up",
        wouldTake: sampled ? "a run twice as long" : "allocation samples (do not pass --sampling 0)"
      }]
    }
  }
})

/** The speed of the floor, and the reason why it is not a finding; without a reason it does not rise. */
const riseOf = (observation: Observation): { readonly perSecond: number; readonly why?: string } => {
  const floors = observation.series("heap.floor")
  const trend = floorTrend(observation)
  if (trend.rising) {
    return { ...trend, why: "no group of allocations accounts for it: it may be a warm-up that is not over" }
  }
  const doubling = Minima.doubling(floors, observation.window, limits.programBytes)
  if (doubling !== undefined) return { ...doubling, why: doubtOfDoubling }
  return floors.length < fewestFloors() && trend.perSecond > 0 && observation.durationMs >= limits.okAfter
    ? { ...trend, why: `${floors.length} readings are too few to distinguish a leak from a warm-up` }
    : trend
}
