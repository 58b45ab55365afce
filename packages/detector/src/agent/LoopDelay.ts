/** The delay and the utilization of the event loop. A starved loop explains some apparent leaks. */
import { monitorEventLoopDelay, performance } from "node:perf_hooks"

export interface LoopDelay {
  /** Delays in milliseconds, and the busy share of the time, since the last call. */
  readonly drain: () => {
    readonly p50: number
    readonly p99: number
    readonly max: number
    readonly utilization: number
  }
  readonly stop: () => void
}

// At 20 ms the histogram's own timer took 0.3 % of a core, at 100 ms a fifth of that. Delays that matter are longer than 100 ms.
const resolutionMs = 100

export const watchLoop = (): LoopDelay => {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  let last = performance.eventLoopUtilization()
  // The histogram records the time between two runs of its own timer. The resolution is part of that time and not a delay.
  const ms = (ns: number): number => Math.max(0, Number.isFinite(ns) ? ns / 1e6 - resolutionMs : 0)
  return {
    drain: () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      const reading = {
        p50: ms(histogram.percentile(50)),
        p99: ms(histogram.percentile(99)),
        max: ms(histogram.max),
        utilization: Number.isFinite(utilization) ? utilization : 0
      }
      histogram.reset()
      return reading
    },
    stop: () => void histogram.disable()
  }
}
