/** Gauges of the program that keep rising: the depth of a queue, leases, listeners. They are read in process only. */
import * as Findings from "../Finding.ts"
import type { Finding, Kind } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { judgeNumber } from "./evidence/Numbers.ts"

interface Template {
  readonly kind: Kind
  readonly rule: string
  readonly summary: (name: string, value: number) => string
  readonly cannotShow: string
  readonly fix: string
  /** Rising traffic is no reason for doubt. */
  readonly unexcused: boolean
}

const judge = (observation: Observation, series: ReadonlyMap<string, ReadonlyArray<Point>>, template: Template) => {
  const findings: Array<Finding> = []
  const suspicions: Array<LeakRule.Suspicion> = []
  for (const [name, points] of series) {
    const verdict = judgeNumber(observation, points, { unexcused: template.unexcused })
    if (verdict._tag === "steady") continue
    const count = points.at(-1)?.value ?? 0
    const summary = template.summary(name, count)
    if (verdict._tag === "unclear") {
      suspicions.push({ rule: template.rule, what: summary, why: verdict.why, wouldTake: "a run twice as long" })
      continue
    }
    findings.push(Findings.make({
      kind: template.kind,
      rule: template.rule,
      severity: "warning",
      decided: Findings.decidedBy(verdict),
      summary,
      site: { name },
      count,
      growth: { perSecond: verdict.perSecond, unit: "units" },
      evidence: [{ label: "rises and falls", text: verdict.text }],
      cannotShow: template.cannotShow,
      fix: template.fix
    }))
  }
  return { findings, suspicions }
}

/**
 * Gauges whose name `watches`. Default: those of Fiberscope's own modules.
 *
 * @category rules
 */
export const GaugeGrowth = (
  watches: (name: string) => boolean = (name) => name.startsWith("fiberscope_")
): LeakRule.LeakRule =>
  LeakRule.make({
    name: "GaugeGrowth",
    find: (observation) =>
      judge(
        observation,
        new Map([...observation.gauges].filter(([name]) => watches(name))),
        {
          kind: "gauge-growth",
          rule: "GaugeGrowth",
          summary: (name, value) => `the gauge ${name} is at ${value} and rises`,
          cannotShow: "which code raises it: a gauge is a number.",
          fix: "Look at what the gauge counts: which code acquires, and which code releases.",
          unexcused: false
        }
      )
  })

/**
 * Metrics whose sets of attributes grow with traffic: each set is kept forever.
 *
 * @category rules
 */
export const MetricCardinality = LeakRule.make({
  name: "MetricCardinality",
  find: (observation) =>
    judge(observation, observation.metricSeries, {
      kind: "metric-cardinality",
      rule: "MetricCardinality",
      summary: (name, value) => `the metric ${name} has ${value} sets of attributes, and their number rises`,
      cannotShow: "which attribute it is.",
      fix: "Remove attributes that differ for each request: ids, URLs with parameters, messages of errors.",
      unexcused: true
    })
})
