/** The event loop delays callbacks: a note that explains many an accumulation of fibers, and not a leak. */
import * as Findings from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import { limits } from "../statistics/limits.ts"
import { median } from "../statistics/Trend.ts"
import { lengthOf } from "../statistics/Window.ts"

/**
 * Notes a median delay (p99 of an interval) of more than `noticedMs` in the late half of the run. People notice 100 ms.
 *
 * @category rules
 */
export const LoopStarvation = (noticedMs = 100): LeakRule.LeakRule =>
  LeakRule.make({
    name: "LoopStarvation",
    find: (observation) => {
      const { window } = observation
      const late = observation.series("eventloop.delay").filter(({ t }) => t >= window.start + lengthOf(window) / 2)
      const delay = median(late.map(({ value }) => value))
      if (late.length < limits.points || !(delay > noticedMs)) return {}
      return {
        findings: [Findings.make({
          kind: "loop-starvation",
          rule: "LoopStarvation",
          severity: "info",
          summary: `callbacks wait ${Math.round(delay)} ms for the event loop (p99)`,
          site: { name: "(the event loop)" },
          growth: { perSecond: 0, unit: "ms" },
          evidence: [{ label: "delay", text: `the median of ${late.length} intervals in the late half of the run` }],
          cannotShow: "which code blocks it: take a CPU profile (node --cpu-prof).",
          fix:
            "Delayed work looks like work that accumulates. Move long computations to a worker, or yield in them (Effect.yieldNow)."
        })]
      }
    }
  })
