/** The parts of a pool: its options, its slots and its borrowers. */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { renderSite } from "../../FiberSite.ts"
import { siteOf } from "../fibers/siteOf.ts"

/** All times in milliseconds. */
export interface PoolCoreOptions<A, E> {
  readonly name: string
  readonly acquire: Effect.Effect<A, E, Scope.Scope>
  readonly validate: ((connection: A) => Effect.Effect<unknown, unknown>) | undefined
  readonly isFatal: ((cause: Cause.Cause<unknown>, connection: A) => boolean) | undefined
  readonly min: number
  readonly max: number
  readonly acquireTimeout: number
  readonly maxWaiters: number
  readonly leakThreshold: number
  readonly validateAfterIdle: number
  readonly validateTimeout: number
  readonly maxLifetime: number
  readonly jitter: number
  readonly idleTimeout: number
  readonly closeGrace: number
  readonly context: Context.Context<never>
  readonly dispatcher: Scheduler.SchedulerDispatcher
  readonly now: () => number
  readonly random: () => number
}

/** A slot of the pool, and the connection in it. */
export class Slot<A> {
  state: "opening" | "checking" | "idle" | "leased" | "closing" = "opening"
  /** The time at which it entered this state. */
  since = 0
  opened: Exit.Success<A> | undefined
  readonly scope = Scope.makeUnsafe()
  /** The finalizer of a lease. One suffices for all leases of the slot, because only one exists at a time. */
  readonly release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  expiresAt = Infinity
  /** Pool epoch at the last successful validation. */
  epoch = 0
  retired = false
  /** The fiber of the pool that opens, validates or closes the connection, and the time by which it must end. */
  job: Fiber.Fiber<unknown, unknown> | undefined
  limitAt = Infinity
  overdue = false
  /** The id of the fiber that holds the lease. Not the fiber itself: a forgotten lease must not keep its fiber alive. */
  holder = 0
  leasedAt = 0
  capturedAt: Fiber.Fiber.Cache | undefined
  label: string | undefined
  reported = false

  constructor(release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>) {
    this.release = release
  }

  /** Defined only after the connection was opened. */
  get connection(): A {
    return this.opened!.value
  }
}

/** The state of one borrower that had to wait: its place in line, or the slot that it got. */
export interface Lease<A> {
  slot: Slot<A> | undefined
  waiter: Waiter<A> | undefined
}

/** A borrower in line. */
export interface Waiter<A> {
  readonly lease: Lease<A>
  readonly holder: number
  readonly capturedAt: Fiber.Fiber.Cache
  readonly label: string | undefined
  readonly since: number
  readonly deadline: number
  readonly onTimeout: (waited: number) => unknown
  /** Effect to resume the waiter with. */
  outcome: Effect.Effect<void, never> | undefined
  resume: ((effect: Effect.Effect<void, never>) => void) | undefined
}

/** Renders the holder of a connection for a message. */
export const nameOf = <A>({ holder, label, capturedAt }: Slot<A>): string => {
  const site = capturedAt === undefined ? undefined : siteOf(capturedAt)
  const where = site?.fork === undefined ? `fiber #${holder}` : renderSite(site)
  return label === undefined ? where : `"${label}" in ${where}`
}
