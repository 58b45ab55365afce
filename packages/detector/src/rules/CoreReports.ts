/**
 * What the modules of core say of themselves: overdue leases, crowds of listeners, ends that hang. No statistic, but what somebody
 * who knows has counted. Read in process only.
 */
import { docsOf, fingerprint } from "../Finding.ts"
import type { Finding, Kind } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"

interface Words {
  readonly name: string
  readonly kind: Kind
  /** Gauges whose names begin like this, and should be zero. */
  readonly gauges: ReadonlyArray<string>
  readonly summary: (count: number, name: string) => string
  readonly cannotShow: string
  readonly fix: string
}

/** A report that two readings in a row agree on has not been dealt with. */
const lasts = 2

const reports = (words: Words): LeakRule => ({
  name: words.name,
  check: (observation) => {
    const findings: Array<Finding> = []
    for (const [gauge, points] of observation.gauges) {
      if (!words.gauges.some((name) => gauge === name || gauge.startsWith(`${name}{`))) continue
      const counts = points.slice(-lasts).map(({ value }) => value)
      if (counts.length < lasts || counts.some((count) => count <= 0)) continue
      findings.push(finding(observation, words, /[{,]name=([^,}]*)/.exec(gauge)?.[1] ?? gauge, counts.at(-1)!))
    }
    return judgement(findings.sort((a, b) => b.count - a.count), [])
  }
})

const finding = ({ hello }: Observation, words: Words, name: string, count: number): Finding => {
  const site = { name }
  const summary = words.summary(count, name)
  return {
    kind: words.kind,
    rule: words.name,
    severity: "warning",
    confidence: 0.999,
    summary,
    site,
    chain: [],
    waits: [],
    count,
    bytes: 0,
    growth: { perSecond: 0, unit: "units" },
    survivors: [],
    evidence: [{ label: "counted", text: "the module counts this itself, and it was so at two readings in a row" }],
    cannotShow: words.cannotShow,
    fix: words.fix,
    docs: docsOf(words.kind),
    fingerprint: fingerprint(words.kind, site),
    pid: hello?.pid ?? 0
  }
}

/** Leases of a `ConnectionPool` that are held for longer than its `leakThreshold`. */
export const LeaseOverdue: LeakRule = reports({
  name: "LeaseOverdue",
  kind: "lease-overdue",
  gauges: ["fiberscope_pool_overdue"],
  summary: (count, name) => `${count} leases of the pool ${name} are overdue`,
  cannotShow: "Whether they will be returned: a long query looks the same.",
  fix: "ConnectionPool.holders names who holds them and since when. Lease in a scope that ends with the work."
})

/** Events of one target with more listeners than `Listeners` was told are meant. */
export const ListenerPileUp: LeakRule = reports({
  name: "ListenerPileUp",
  kind: "listener-pile-up",
  gauges: ["fiberscope_listeners_crowded"],
  summary: (count, name) =>
    `${count} events have more listeners than are meant${name === "default" ? "" : `, in Listeners ${name}`}`,
  cannotShow: "Whether so many are meant after all.",
  fix:
    "The warning of Listeners names who added them: give them a shorter scope, or say how many are meant with warnAbove."
})

/** Tasks, streams and resources whose end hangs, and what was left behind at a deadline. */
export const StuckShutdown: LeakRule = reports({
  name: "StuckShutdown",
  kind: "stuck-end",
  gauges: [
    "fiberscope_taskmanager_stuck",
    "fiberscope_streams_stuck",
    "fiberscope_resources_stuck",
    "fiberscope_deadline_orphans"
  ],
  summary: (count, name) => `${count} ends of ${name} hang: what was to be released is still held`,
  cannotShow: "Whether they end later than their limit.",
  fix: "The module's report names each with where it hangs: bound what its finalizer waits for (Effect.timeout)."
})
