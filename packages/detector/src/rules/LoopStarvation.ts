/** The event loop keeps callbacks waiting: a note that explains many a pile of fibers, not a leak. */
import { docsOf, fingerprint } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import { median } from "../statistics/Trend.ts"
import { lengthOf } from "../statistics/Window.ts"

/** Milliseconds of delay (p99 of an interval) that people notice. */
const noticed = 100

/** Notes when in the late half of the window half of the intervals had a p99 delay above 100 ms. */
export const LoopStarvation: LeakRule = {
  name: "LoopStarvation",
  check: (observation) => {
    const { window } = observation
    const late = observation.series("eventloop.delay").filter(({ t }) => t >= window.start + lengthOf(window) / 2)
    const delay = median(late.map(({ value }) => value))
    if (late.length < 5 || !(delay > noticed)) return ok
    const site = { name: "(the event loop)" }
    return judgement([{
      kind: "loop-starvation",
      rule: "LoopStarvation",
      severity: "info",
      confidence: 0,
      summary: `callbacks wait ${Math.round(delay)} ms for the event loop (p99)`,
      site,
      chain: [],
      waits: [],
      count: 0,
      bytes: 0,
      growth: { perSecond: 0, unit: "ms" },
      survivors: [],
      evidence: [{ label: "delay", text: `the median of ${late.length} intervals in the late half of the run` }],
      cannotShow: "What blocks it: take a CPU profile (node --cpu-prof).",
      fix:
        "Work that is late looks like work that piles up. Give long computations to a worker, or yield in them (Effect.yieldNow).",
      docs: docsOf("loop-starvation"),
      fingerprint: fingerprint("loop-starvation", site),
      pid: observation.hello?.pid ?? 0
    }], [])
  }
}
