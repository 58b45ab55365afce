/**
 * The heap floor rises, and nothing else explains it: a reason to look longer, never a finding.
 *
 * @since 0.1.0
 */
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { Observation } from "../Observation.ts"
import { lengthOf, limits } from "../Turnover.ts"
import { floorTrend } from "./HeapFloor.ts"
import { codeBytes, leastBytes, memoryWindow } from "./MemorySites.ts"

const name = "HeapFloorTrend"

/** Readings in the late half of a window without which its growth would be seen too late, or not at all. */
const fewestLateReadings = 3

/**
 * Bytes a second of old growth that allocation samples would have shown in this run; `Infinity` without samples, and with too few
 * readings of them.
 *
 * @since 0.1.0
 * @category statistics
 */
export const detectable = (observation: Observation): number => {
  const { allocations, hello } = observation
  if (hello === undefined || hello.samplingBytes === 0) return Infinity
  const window = memoryWindow(observation)
  const middle = window.start + lengthOf(window) / 2
  if (allocations.readings.filter((t) => t >= middle).length < fewestLateReadings) return Infinity
  const seconds = lengthOf(window) / 1000
  const lateSeconds = (seconds - Math.max(3, seconds / 6)) / 2
  return lateSeconds > 0 ? Math.max(limits.arrivals * allocations.interval, leastBytes) / lateSeconds : Infinity
}

/**
 * @since 0.1.0
 * @category rules
 */
export const HeapFloorTrend: LeakRule = {
  name,
  check: (observation) => {
    const { perSecond, rising } = floorTrend(observation)
    if (!rising) return ok
    const seen = detectable(observation)
    // Growth below what samples can show is beyond this run's means, and the report says so; growth above it that no sample saw
    // contradicts them.
    const late = lengthOf(memoryWindow(observation)) / 2 / 1000
    if (seen !== Infinity && perSecond < Math.max(seen, codeBytes / late)) return ok
    return judgement([], [{
      rule: name,
      what: `the heap floor rises by ${Math.round(perSecond / 1024)} KB/s`,
      why: seen === Infinity
        ? "the floor alone cannot tell a leak from a warm-up"
        : "no group of allocations accounts for it yet: it may be a warm-up that is not over",
      wouldTake: seen === Infinity ? "allocation samples (do not pass --sampling 0)" : "a run twice as long"
    }])
  }
}
