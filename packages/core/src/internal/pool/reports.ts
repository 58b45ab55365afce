/** The reports and metrics of a pool. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { renderSite } from "../../FiberSite.ts"
import { siteOf } from "../fibers/siteOf.ts"
import { instrument } from "../instruments.ts"
import { isDue } from "../isDue.ts"
import { rounded } from "../rounded.ts"
import type { Holder, PoolHealth } from "./model.ts"
import type { PoolCore } from "./PoolCore.ts"

/** The holders of connections, longest first; `wall` is the time of the Unix epoch in milliseconds. */
export const holdersOf = <A, E>(core: PoolCore<A, E>, time: number, wall: number): ReadonlyArray<Holder> => {
  const holders: Array<Holder> = []
  for (const { holder, label, leasedAt, state, capturedAt } of core.slots) {
    if (state !== "leased") continue
    const site = siteOf(capturedAt!)
    const held = time - leasedAt
    holders.push({
      label: label ?? site.fork?.name ?? `fiber #${holder}`,
      fiber: holder,
      site,
      since: wall - held,
      held: Duration.millis(held),
      overdue: isDue(leasedAt + core.options.leakThreshold, time)
    })
  }
  return holders.sort((a, b) => a.since - b.since)
}

const overdueOf = <A, E>({ options, slots }: PoolCore<A, E>, time: number): number => {
  let overdue = 0
  for (const { leasedAt, state } of slots) {
    if (state === "leased" && isDue(leasedAt + options.leakThreshold, time)) overdue++
  }
  return overdue
}

export const healthOf = <A, E>(core: PoolCore<A, E>, time: number): PoolHealth => {
  const { lastFailure, leased, options, slots, waiters } = core
  const [first] = waiters
  return {
    max: options.max,
    open: slots.size,
    idle: core.count("idle"),
    leased,
    opening: core.count("opening"),
    validating: core.count("checking"),
    closing: core.count("closing"),
    waiting: waiters.size,
    longestWait: Duration.millis(first === undefined ? 0 : time - first.since),
    overdue: overdueOf(core, time),
    lastFailure: lastFailure && { cause: lastFailure.cause, age: Duration.millis(time - lastFailure.at) }
  }
}

/** Renders `3 of 10 are held, by handler (src/a.ts:1) × 2 for up to 31s, "report" in job (src/b.ts:2) × 1 for 2s`. */
export const renderHolders = (holders: ReadonlyArray<Holder>, max: number): string => {
  const groups = new Map<string, { count: number; longest: number }>()
  for (const { fiber, held, label, site } of holders) {
    const where = site.fork === undefined ? `fiber #${fiber}` : renderSite(site)
    const who = where.startsWith(label) ? where : `"${label}" in ${where}`
    const group = groups.get(who) ?? { count: 0, longest: 0 }
    groups.set(who, { count: group.count + 1, longest: Math.max(group.longest, Duration.toMillis(held)) })
  }
  const all = [...groups].sort(([, a], [, b]) => b.count - a.count)
  const some = all.slice(0, 5).map(([who, { count, longest }]) =>
    `${who} × ${count} for ${count > 1 ? "up to " : ""}${rounded(longest)}`
  )
  const more = all.length > some.length ? `, and ${all.length - some.length} others` : ""
  return `${holders.length} of ${max} are held${some.length === 0 ? "" : `, by ${some.join(", ")}${more}`}`
}

export const instrumentPool = <A, E>(core: PoolCore<A, E>): Effect.Effect<void, never, Scope.Scope> => {
  const { counts, options } = core
  return instrument({
    module: "pool",
    name: options.name,
    gauges: {
      open: () => core.slots.size,
      idle: () => core.count("idle"),
      leased: () => core.leased,
      waiting: () => core.waiters.size,
      overdue: () => overdueOf(core, options.now())
    },
    counters: {
      leases: () => counts.leases,
      opened: () => counts.opened,
      closed: () => counts.closed,
      failed: () => counts.failed,
      invalid: () => counts.invalid,
      timeouts: () => counts.timeouts,
      rejected: () => counts.rejected,
      leaks: () => counts.leaks,
      abandoned: () => counts.abandoned
    }
  })
}
