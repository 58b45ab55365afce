/** What a pool is made of: its options, its places and its borrowers. */
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

/** A place of the pool, and the connection in it. */
export class Slot<A> {
  state: "opening" | "checking" | "idle" | "leased" | "closing" = "opening"
  /** When it came into this state. */
  since = 0
  opened: Exit.Success<A> | undefined
  readonly scope = Scope.makeUnsafe()
  /** The finalizer of a lease: of all of them, for there is only one at a time. */
  readonly release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  expiresAt = Infinity
  /** What was known of the server when the connection was known to work. */
  epoch = 0
  retired = false
  /** The fiber of the pool which opens, checks or closes it, and when that must be over. */
  job: Fiber.Fiber<unknown, unknown> | undefined
  limitAt = Infinity
  overdue = false
  /** Of the lease. Not the fiber itself: nobody shall be kept alive for having forgotten to give back. */
  holder = 0
  leasedAt = 0
  taken: Fiber.Fiber.Cache | undefined
  label: string | undefined
  reported = false

  constructor(release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>) {
    this.release = release
  }

  /** Only once it was opened. */
  get connection(): A {
    return this.opened!.value
  }
}

/** What one borrower waits for, or has got by waiting. */
export interface Lease<A> {
  slot: Slot<A> | undefined
  waiter: Waiter<A> | undefined
}

/** A borrower in line. */
export interface Waiter<A> {
  readonly lease: Lease<A>
  readonly holder: number
  readonly taken: Fiber.Fiber.Cache
  readonly label: string | undefined
  readonly since: number
  readonly deadline: number
  readonly onTimeout: (waited: number) => unknown
  /** With what it goes on. */
  outcome: Effect.Effect<void, never> | undefined
  resume: ((effect: Effect.Effect<void, never>) => void) | undefined
}

/** Who holds a connection, in a message. */
export const nameOf = <A>({ holder, label, taken }: Slot<A>): string => {
  const site = taken === undefined ? undefined : siteOf(taken)
  const where = site?.fork === undefined ? `fiber #${holder}` : renderSite(site)
  return label === undefined ? where : `"${label}" in ${where}`
}
