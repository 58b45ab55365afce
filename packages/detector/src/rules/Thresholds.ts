/**
 * The two thresholds of the classic tutorials: a number of live tasks, and a growth of the heap. Numbers, not proof: their findings
 * have severity `info` and do not make a verdict.
 */
import { docsOf, fingerprint } from "../Finding.ts"
import type { Finding, Kind } from "../Finding.ts"
import { judgement, ok } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { size } from "../text/Units.ts"

const note = (
  observation: Observation,
  kind: Kind,
  rule: string,
  summary: string,
  numbers: { readonly count: number; readonly bytes: number; readonly unit: string },
  fix: string
): Finding => ({
  kind,
  rule,
  severity: "info",
  confidence: 0,
  summary,
  site: { name: "(the process)" },
  chain: [],
  waits: [],
  count: numbers.count,
  bytes: numbers.bytes,
  growth: { perSecond: 0, unit: numbers.unit },
  survivors: [],
  evidence: [{ label: "threshold", text: summary }],
  cannotShow: "Whether it goes on: a threshold knows no time.",
  fix,
  docs: docsOf(kind),
  fingerprint: fingerprint(kind, { name: "(the process)" }),
  pid: observation.hello?.pid ?? 0
})

/**
 * Notes when more than `threshold` fibers live. 100 is the number of the tutorial; a busy service has more at any time, so it is
 * off unless asked for.
 *
 * @category rules
 */
export const LiveFiberThreshold = (threshold = 100): LeakRule => ({
  name: "LiveFiberThreshold",
  check: (observation) => {
    const live = observation.lastTick?.fibers.live ?? 0
    if (live <= threshold) return ok
    return judgement([note(
      observation,
      "live-fibers",
      "LiveFiberThreshold",
      `${live} fibers live, more than ${threshold}`,
      { count: live, bytes: 0, unit: "fibers" },
      "See whether they go on growing; FiberGrowth tells."
    )], [])
  }
})

/**
 * Notes when the heap floor is more than `ratio` times the first one.
 *
 * @category rules
 */
export const HeapGrowthRatio = (ratio = 1.5): LeakRule => ({
  name: "HeapGrowthRatio",
  check: (observation) => {
    const floors = observation.series("heap.floor")
    const first = floors[0]?.value ?? 0
    const last = floors.at(-1)?.value ?? 0
    if (first === 0 || last <= ratio * first) return ok
    return judgement([note(
      observation,
      "heap-growth",
      "HeapGrowthRatio",
      `the heap floor grew from ${size(first)} to ${size(last)}, more than ${ratio} times`,
      { count: 0, bytes: last - first, unit: "bytes" },
      "Every program grows while it starts. See whether it goes on; SurvivorGrowth tells."
    )], [])
  }
})
