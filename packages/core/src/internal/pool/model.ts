/** The models of a pool. */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type { FiberSite } from "../../FiberSite.ts"

/**
 * The holder of a connection.
 *
 * @category models
 */
export interface Holder {
  /** The label of the lease; without one, the function (`Effect.fn`) or span that took it. */
  readonly label: string
  /** The id of the fiber. The fiber may have ended: then the lease was forgotten. */
  readonly fiber: number
  readonly site: FiberSite
  /** The time of the lease in milliseconds of the Unix epoch. */
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
  /** The waiting time of the first fiber in line. */
  readonly longestWait: Duration.Duration
  /** The number of leases that are held for longer than the `leakThreshold`. */
  readonly overdue: number
  /** The last failure to open or to validate a connection. */
  readonly lastFailure: { readonly cause: Cause.Cause<unknown>; readonly age: Duration.Duration } | undefined
}
