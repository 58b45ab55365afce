/** The slowest growth that allocation samples would have shown. */
import type { Observation } from "../../observation/Observation.ts"
import { limits } from "../../statistics/limits.ts"
import { lengthOf } from "../../statistics/Window.ts"
import { leastGrowth, memoryWindow } from "./MemorySites.ts"

export const isSampled = ({ hello }: Observation): boolean => hello !== undefined && hello.samplingBytes > 0

/** Bytes a second of old growth; `Infinity` without samples, and with too few readings of them. */
export const sampledLimit = (observation: Observation): number => {
  const { allocations } = observation
  if (!isSampled(observation)) return Infinity
  const window = memoryWindow(observation)
  const middle = window.start + lengthOf(window) / 2
  if (allocations.readings.filter((t) => t >= middle).length < limits.lateReadings) return Infinity
  const lateMs = (lengthOf(window) - Math.max(limits.youngest, lengthOf(window) / limits.ageParts)) / 2
  const least = Math.max(limits.arrivals * allocations.interval, leastGrowth(window))
  return lateMs > 0 ? least / (lateMs / 1000) : Infinity
}
