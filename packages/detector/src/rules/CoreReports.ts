/**
 * Reports of core's modules about themselves: overdue leases, crowded listeners, ends that hang. They are counts of the module that knows,
 * not statistics, and are read in process only.
 */
import * as Findings from "../Finding.ts"
import type { Kind } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"

interface Template {
  readonly name: string
  readonly kind: Kind
  /** Prefixes of the names of gauges that should be zero. */
  readonly gauges: ReadonlyArray<string>
  readonly summary: (count: number, name: string) => string
  readonly cannotShow: string
  readonly fix: string
}

/** Two readings in a row: the module's own handling was not enough. */
const lasts = 2

const reports = (template: Template): LeakRule.LeakRule =>
  LeakRule.make({
    name: template.name,
    find: (observation) => ({
      findings: [...observation.gauges].flatMap(([gauge, points]) => {
        const counts = points.slice(-lasts).map(({ value }) => value)
        const mine = template.gauges.some((name) => gauge === name || gauge.startsWith(`${name}{`))
        if (!mine || counts.length < lasts || counts.some((count) => count <= 0)) return []
        const name = /[{,]name=([^,}]*)/.exec(gauge)?.[1] ?? gauge
        const count = counts.at(-1)!
        return [Findings.make({
          kind: template.kind,
          rule: template.name,
          severity: "warning",
          summary: template.summary(count, name),
          site: { name },
          count,
          evidence: [{ label: "counted", text: "the module counts this itself, in two readings in a row" }],
          cannotShow: template.cannotShow,
          fix: template.fix
        })]
      })
    })
  })

/** Leases of a `ConnectionPool` that are held for longer than its `leakThreshold`. */
export const LeaseOverdue = reports({
  name: "LeaseOverdue",
  kind: "lease-overdue",
  gauges: ["fiberscope_pool_overdue"],
  summary: (count, name) => `${count} leases of the pool ${name} are overdue`,
  cannotShow: "whether they will be returned: a long query looks the same.",
  fix: "ConnectionPool.holders names the holders, and since when they hold. Lease in a scope that ends with the work."
})

/** Events of one target with more listeners than `Listeners` expects. */
export const ListenerPileUp = reports({
  name: "ListenerPileUp",
  kind: "listener-pile-up",
  gauges: ["fiberscope_listeners_crowded"],
  summary: (count, name) =>
    `${count} events have more listeners than expected${name === "default" ? "" : `, in Listeners ${name}`}`,
  cannotShow: "whether that number is intended.",
  fix: "The warning of Listeners names the code that added them. Give them a shorter scope, or raise warnAbove."
})

/** Tasks, streams and resources whose end hangs, and work that was abandoned at a deadline. */
export const StuckShutdown = reports({
  name: "StuckShutdown",
  kind: "stuck-end",
  gauges: [
    "fiberscope_taskmanager_stuck",
    "fiberscope_streams_stuck",
    "fiberscope_resources_stuck",
    "fiberscope_deadline_orphans"
  ],
  summary: (count, name) => `${count} ends of ${name} hang: their resources are still held`,
  cannotShow: "whether they end later than their limit.",
  fix: "The module's report names the line at which each hangs. Bound the wait of its finalizer (Effect.timeout)."
})
