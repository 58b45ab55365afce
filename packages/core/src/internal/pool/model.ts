/** The models of a pool. */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type { FiberSite } from "../../FiberSite.ts"

/**
 * Who holds a connection.
 *
 * @category models
 */
export interface Holder {
  /** That of the lease; without it, the function (`Effect.fn`) or span that took it. */
  readonly label: string
  /** The id of the fiber. It may have ended: that is what a forgotten lease is. */
  readonly fiber: number
  readonly site: FiberSite
  /** In milliseconds of the Unix epoch. */
  readonly since: number
  readonly held: Duration.Duration
  /** Whether it is held for longer than the `leakThreshold`. */
  readonly overdue: boolean
}

/**
 * The state of a pool. `open` counts all connections: idle, leased, and those that are being opened, validated and closed.
 *
 * @category models
 */
export interface PoolHealth {
  readonly max: number
  readonly open: number
  readonly idle: number
  readonly leased: number
  readonly opening: number
  readonly validating: number
  readonly closing: number
  readonly waiting: number
  /** How long the first in line has been waiting. */
  readonly longestWait: Duration.Duration
  /** Leases that are held for longer than the `leakThreshold`. */
  readonly overdue: number
  /** The last time that a connection could not be opened, or was found to be broken by its validation. */
  readonly lastFailure: { readonly cause: Cause.Cause<unknown>; readonly age: Duration.Duration } | undefined
}
