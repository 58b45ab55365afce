/**
 * The two thresholds of the classic tutorials: a number of live tasks, and a growth of the heap. They are numbers, not proof: their
 * findings have severity `info` and do not change a verdict.
 */
import * as Findings from "../Finding.ts"
import type { Finding, Kind } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import { size } from "../text/Units.ts"

const note = (
  kind: Kind,
  rule: string,
  summary: string,
  numbers: { readonly count: number; readonly bytes: number; readonly unit: string },
  fix: string
): Finding =>
  Findings.make({
    kind,
    rule,
    severity: "info",
    summary,
    site: { name: "(the process)" },
    count: numbers.count,
    bytes: numbers.bytes,
    growth: { perSecond: 0, unit: numbers.unit },
    evidence: [{ label: "threshold", text: summary }],
    cannotShow: "whether it continues: a threshold does not look at time.",
    fix
  })

/**
 * Notes when more than `threshold` fibers live. 100 is the number of the tutorial; a busy service has more at any time, so this rule is
 * off by default.
 *
 * @category rules
 */
export const LiveFiberThreshold = (threshold = 100): LeakRule.LeakRule =>
  LeakRule.make({
    name: "LiveFiberThreshold",
    find: ({ lastTick }) => {
      const live = lastTick?.fibers.live ?? 0
      return live <= threshold ? {} : {
        findings: [note(
          "live-fibers",
          "LiveFiberThreshold",
          `${live} fibers live, more than ${threshold}`,
          { count: live, bytes: 0, unit: "fibers" },
          "FiberGrowth reports whether they keep growing."
        )]
      }
    }
  })

/**
 * Notes when the heap floor is more than `ratio` times the first one.
 *
 * @category rules
 */
export const HeapGrowthRatio = (ratio = 1.5): LeakRule.LeakRule =>
  LeakRule.make({
    name: "HeapGrowthRatio",
    find: (observation) => {
      const floors = observation.series("heap.floor")
      const first = floors[0]?.value ?? 0
      const last = floors.at(-1)?.value ?? 0
      return first === 0 || last <= ratio * first ? {} : {
        findings: [note(
          "heap-growth",
          "HeapGrowthRatio",
          `the heap floor grew from ${size(first)} to ${size(last)}, more than ${ratio} times`,
          { count: 0, bytes: last - first, unit: "bytes" },
          "Every program grows while it starts. SurvivorGrowth reports whether it continues."
        )]
      }
    }
  })
