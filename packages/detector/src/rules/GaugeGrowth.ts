/** Gauges of the program that rise and rise: the depth of a queue, leases, listeners. Read in process only. */
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding, Kind } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { judgeNumber } from "./evidence/Numbers.ts"

interface Words {
  readonly kind: Kind
  readonly rule: string
  readonly summary: (name: string, value: number) => string
  readonly cannotShow: string
  readonly fix: string
  /** More traffic is no excuse. */
  readonly unexcused: boolean
}

const judge = (observation: Observation, series: ReadonlyMap<string, ReadonlyArray<Point>>, words: Words) => {
  const findings: Array<Finding> = []
  const suspicions: Array<Suspicion> = []
  for (const [name, points] of series) {
    const verdict = judgeNumber(observation, points, { unexcused: words.unexcused })
    if (verdict._tag === "steady") continue
    const count = points.at(-1)?.value ?? 0
    const summary = words.summary(name, count)
    if (verdict._tag === "unclear") {
      suspicions.push({ rule: words.rule, what: summary, why: verdict.why, wouldTake: "to look for twice as long" })
      continue
    }
    const site = { name }
    findings.push({
      kind: words.kind,
      rule: words.rule,
      severity: "warning",
      confidence: confidenceOf(verdict.z),
      summary,
      site,
      chain: [],
      waits: [],
      count,
      bytes: 0,
      growth: { perSecond: verdict.perSecond, unit: "units" },
      survivors: [],
      evidence: [{
        label: "rises and falls",
        text: verdict.text
      }],
      cannotShow: words.cannotShow,
      fix: words.fix,
      docs: docsOf(words.kind),
      fingerprint: fingerprint(words.kind, site),
      pid: observation.hello?.pid ?? 0
    })
  }
  return judgement(findings.sort((a, b) => b.count - a.count), suspicions)
}

/** Gauges whose name `watches`; those of Fiberscope's own modules unless told. */
export const GaugeGrowth = (
  watches: (name: string) => boolean = (name) => name.startsWith("fiberscope_")
): LeakRule => ({
  name: "GaugeGrowth",
  check: (observation) =>
    judge(
      observation,
      new Map([...observation.gauges].filter(([name]) => watches(name))),
      {
        kind: "gauge-growth",
        rule: "GaugeGrowth",
        summary: (name, value) => `the gauge ${name} is at ${value} and rises`,
        cannotShow: "Who raises it: a gauge is a number.",
        fix: "Look at what the gauge counts: who takes, and who gives back.",
        unexcused: false
      }
    )
})

/** Metrics whose sets of attributes grow with traffic: each set is kept for ever. */
export const MetricCardinality: LeakRule = {
  name: "MetricCardinality",
  check: (observation) =>
    judge(observation, observation.metricSeries, {
      kind: "metric-cardinality",
      rule: "MetricCardinality",
      summary: (name, value) => `the metric ${name} has ${value} sets of attributes, ever more of them`,
      cannotShow: "Which attribute it is.",
      fix:
        "Take out of the attributes what is different for each request (ids, URLs with parameters, messages of errors).",
      unexcused: true
    })
}
