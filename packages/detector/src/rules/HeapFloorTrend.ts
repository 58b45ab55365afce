/** The heap floor rises, and nothing else explains it: a reason to look longer, never a finding. */
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { limits } from "../statistics/limits.ts"
import * as Lows from "../statistics/Minima.ts"
import { okAfterMs } from "../statistics/minimumObservation.ts"
import { lengthOf } from "../statistics/Window.ts"
import { size } from "../text/Units.ts"
import { floorTrend } from "./evidence/HeapFloor.ts"
import { codeBytes, leastGrowth, memoryWindow } from "./evidence/MemorySites.ts"
import { doubtOfDoubling } from "./evidence/Traffic.ts"

const name = "HeapFloorTrend"

/** Readings in the late half of a window without which its growth would be seen too late, or not at all. */
const fewestLateReadings = 3

const isSampled = ({ hello }: Observation): boolean => hello !== undefined && hello.samplingBytes > 0

/**
 * Bytes a second of old growth that allocation samples would have shown in this run; `Infinity` without samples, and with too few
 * readings of them.
 */
export const detectable = (observation: Observation): number => {
  const { allocations } = observation
  if (!isSampled(observation)) return Infinity
  const window = memoryWindow(observation)
  const middle = window.start + lengthOf(window) / 2
  if (allocations.readings.filter((t) => t >= middle).length < fewestLateReadings) return Infinity
  const seconds = lengthOf(window) / 1000
  const lateSeconds = (seconds - Math.max(3, seconds / 6)) / 2
  const least = Math.max(limits.arrivals * allocations.interval, leastGrowth(window))
  return lateSeconds > 0 ? least / lateSeconds : Infinity
}

/** Readings of the floor without which nobody can say that it does not rise. */
const fewestFloors = 12

/** Bytes a second below which growth of which nothing is known but that the heap floor rises is not spoken of: code that V8 keeps. */
export const unseen = (observation: Observation): number =>
  Math.max(detectable(observation), codeBytes / (lengthOf(memoryWindow(observation)) / 2 / 1000))

export const HeapFloorTrend: LeakRule = {
  name,
  check: (observation) => {
    const sampled = isSampled(observation)
    const { perSecond, why } = riseOf(observation)
    // Growth below what samples can show is beyond this run's means, and the report says so; growth above it that no sample saw
    // contradicts them.
    const seen = detectable(observation) !== Infinity
    if (why === undefined || (seen && perSecond < unseen(observation))) return ok
    return judgement([], [{
      rule: name,
      what: `the heap floor rises by ${size(perSecond)}/s`,
      why: !sampled
        ? "the floor alone cannot tell a leak from a warm-up"
        : why,
      wouldTake: !sampled ? "allocation samples (do not pass --sampling 0)" : "a run twice as long"
    }])
  }
}

/** How fast the floor rises, and why that is no finding; without a reason it does not. */
const riseOf = (observation: Observation): { readonly perSecond: number; readonly why?: string } => {
  const floors = observation.series("heap.floor")
  const trend = floorTrend(observation)
  if (trend.rising) {
    return { ...trend, why: "no group of allocations accounts for it: it may be a warm-up that is not over" }
  }
  const doubling = Lows.doubling(floors, observation.window, codeBytes)
  if (doubling !== undefined) return { ...doubling, why: doubtOfDoubling }
  return floors.length < fewestFloors && trend.perSecond > 0 && observation.durationMs >= okAfterMs
    ? { ...trend, why: `${floors.length} readings are too few to tell a leak from a warm-up` }
    : trend
}
