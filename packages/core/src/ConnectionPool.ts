/**
 * Connections that are shared: leases with names on them.
 *
 * **When to use**
 *
 * Use it for what is costly to open, limited in number and used by one at a time: connections of a database, sessions of a broker.
 *
 * **Details**
 *
 * A pool answers the questions of a bad night: who holds the connections, since when, and who has forgotten one; why nothing is free;
 * whether the server is there. Who waits is in line, first come, first served, for a limited time and in a limited number. No more than
 * `max` connections are ever open, those that are being opened and closed included. A connection that was idle is validated before it
 * is lent, and never lent when that fails.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import { takePart } from "./GracefulShutdown.ts"
import { isDue } from "./internal/isDue.ts"
import { monotonic } from "./internal/monotonic.ts"
import type { Holder, PoolHealth } from "./internal/pool/model.ts"
import type { Lease, Slot } from "./internal/pool/parts.ts"
import { PoolCore } from "./internal/pool/PoolCore.ts"
import { healthOf, holdersOf, instrumentPool, renderHolders } from "./internal/pool/reports.ts"
import { rounded } from "./internal/rounded.ts"
import { addFinalizerNow } from "./internal/scopeFinalizer.ts"

export type { Holder, PoolHealth } from "./internal/pool/model.ts"

/**
 * What was left when a pool was drained: whose connections were closed under them, and how many did not close.
 *
 * @category models
 */
export interface DrainReport {
  readonly held: ReadonlyArray<Holder>
  readonly stuck: number
  readonly elapsed: Duration.Duration
}

/**
 * Limits of one lease.
 *
 * @category models
 */
export interface LeaseOptions {
  /** What the lease is for; else the function that takes it is named. */
  readonly label?: string | undefined
  /** How long to wait. Default: that of the pool. */
  readonly acquireTimeout?: Duration.Input | undefined
}

/**
 * The numbers of a pool. The defaults are the experience of HikariCP and tarn.
 *
 * @category models
 */
export interface PoolSettings {
  /** What it is called in messages, and the attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** Connections that are kept open. Default 0. */
  readonly min?: number | undefined
  /** Connections that are open at most. Default 10. */
  readonly max?: number | undefined
  /** How long to wait for a connection, and how long opening one may take. Default 30 seconds. */
  readonly acquireTimeout?: Duration.Input | undefined
  /** How many may wait; the next one fails at once. Default 256. */
  readonly maxWaiters?: number | undefined
  /** A lease that is held for longer is reported, once. Default 30 seconds. */
  readonly leakThreshold?: Duration.Input | undefined
  /** Connections that were idle for so long are validated before they are lent. Default 500 milliseconds; 0 is always. */
  readonly validateAfterIdle?: Duration.Input | undefined
  /** A validation that takes longer has failed. Default 5 seconds. */
  readonly validateTimeout?: Duration.Input | undefined
  /** A connection is replaced when it is older, as soon as nobody holds it. Default 30 minutes. */
  readonly maxLifetime?: Duration.Input | undefined
  /** The part of `maxLifetime` that is taken off at random, so that connections do not grow old together. Default 0.025. */
  readonly jitter?: number | undefined
  /** A connection beyond `min` that was idle for so long is closed. Default 10 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long the end of the pool waits for leases and closings, and how long closing one connection may take. Default 10 seconds. */
  readonly closeGrace?: Duration.Input | undefined
}

/**
 * How connections are opened, checked and closed, and the limits of the pool.
 *
 * @category models
 */
export interface ConnectionPoolOptions<A, E = never, R = never> extends PoolSettings {
  /**
   * Opens a connection, and closes it at the end of its scope. An opening that cannot be interrupted, such as a plain
   * `Effect.acquireRelease`, holds its place in the pool until it ends: make it `{ interruptible: true }`, or give it a limit.
   */
  readonly acquire: Effect.Effect<A, E, R>
  /** Asks the server something; the connection is closed when it fails. */
  readonly validate?: ((connection: A) => Effect.Effect<unknown, unknown, R>) | undefined
  /**
   * Whether a connection must not be used again after the use of it has ended so. All others are validated then before they are lent. Without it,
   * no failure is fatal.
   */
  readonly isFatal?: ((cause: Cause.Cause<unknown>, connection: A) => boolean) | undefined
}

/**
 * Nothing became free in time. `holders` are those who had the connections then; `opening` were on their way.
 *
 * @category errors
 */
export class AcquireTimeout extends Data.TaggedError("AcquireTimeout")<{
  readonly pool: string
  readonly waited: Duration.Duration
  readonly max: number
  readonly opening: number
  readonly holders: ReadonlyArray<Holder>
}> {
  override get message(): string {
    const { holders, max, opening, pool, waited } = this
    const others = opening === 0 ? "" : `; ${opening} are being opened: is the server there?`
    return `No connection of pool "${pool}" for ${rounded(waited)}: ${renderHolders(holders, max)}${others}`
  }
}

/**
 * Too many wait already.
 *
 * @category errors
 */
export class PoolSaturated extends Data.TaggedError("PoolSaturated")<{
  readonly pool: string
  readonly waiting: number
  readonly max: number
  readonly holders: ReadonlyArray<Holder>
}> {
  override get message(): string {
    const { holders, max, pool, waiting } = this
    return `${waiting} wait already for a connection of pool "${pool}", and no more may (maxWaiters): ${
      renderHolders(holders, max)
    }`
  }
}

/**
 * The pool is being drained, or has been.
 *
 * @category errors
 */
export class PoolClosed extends Data.TaggedError("PoolClosed")<{ readonly pool: string }> {
  override get message(): string {
    return `Pool "${this.pool}" is closed. Stop what uses it before it is drained`
  }
}

/**
 * Why there is no connection. A failure to open one comes as it is.
 *
 * @category errors
 */
export type LeaseError = AcquireTimeout | PoolSaturated | PoolClosed

/**
 * Lends connections, and takes them back when the scope of the lease ends.
 *
 * @category models
 */
export interface ConnectionPool<A, E = never> {
  /** Borrows a connection until the scope closes. */
  readonly lease: (options?: LeaseOptions) => Effect.Effect<A, E | LeaseError, Scope.Scope>

  /** Borrows a connection while an effect runs. */
  readonly use: <B, E2, R2>(
    f: (connection: A) => Effect.Effect<B, E2, R2>,
    options?: LeaseOptions
  ) => Effect.Effect<B, E | E2 | LeaseError, R2>

  /** Who holds connections now, longest first. */
  readonly holders: Effect.Effect<ReadonlyArray<Holder>>

  readonly health: Effect.Effect<PoolHealth>

  /** Has a connection closed instead of lent again: now, or when its holder gives it back. */
  readonly retire: (connection: A) => Effect.Effect<void>

  /**
   * Refuses new leases and fails those who wait, waits for what is held, and closes everything. Ends by the grace, or by the deadline
   * around when that is earlier.
   *
   * **Details**
   *
   * Holders have four fifths of the grace. Then their connections are closed under them, and they are named in the report and the log.
   * The last fifth is for closing. Default: `closeGrace`.
   */
  readonly drain: (grace?: Duration.Input) => Effect.Effect<DrainReport>
}

/** The part of a grace that holders have; the rest is for closing. */
const leaseShare = 0.8

/**
 * Makes a pool in a scope, with whose end it is drained.
 *
 * **Example**
 *
 * ```ts
 * import * as ConnectionPool from "@fiberscope/core/ConnectionPool"
 * import { Effect } from "effect"
 *
 * let opened = 0
 * const connect = Effect.acquireRelease(
 *   Effect.sync(() => ({ query: (sql: string) => Effect.as(Effect.sleep("5 millis"), `rows of ${sql}`), id: ++opened })),
 *   ({ id }) => Effect.log(`connection ${id} is closed`)
 * )
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ConnectionPool.make({ name: "db", acquire: connect, max: 2 })
 *   const query = (sql: string) => pool.use((connection) => connection.query(sql))
 *   yield* Effect.forEach([1, 2, 3, 4], (n) => query(`select ${n}`), { concurrency: "unbounded" })
 *   console.log(opened) // 2
 * })
 *
 * Effect.runFork(Effect.scoped(program))
 * ```
 *
 * @category constructors
 */
export const make = <A, E, R>(
  options: ConnectionPoolOptions<A, E, R>
): Effect.Effect<ConnectionPool<A, E>, never, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const random = yield* Random.Random
    const context = yield* Effect.context<Exclude<R, Scope.Scope>>()
    const dispatcher = yield* Effect.withFiberSucceed((fiber) => fiber.currentDispatcher)
    const now = monotonic(clock)
    const { max = 10, maxWaiters = 256, min = 0, name = "default" } = options
    const acquireTimeout = millis(options.acquireTimeout, "30 seconds")
    const leakThreshold = millis(options.leakThreshold, "30 seconds")
    const closeGrace = millis(options.closeGrace, "10 seconds")
    if (!(max >= 1 && min >= 0 && min <= max)) {
      return yield* Effect.die(
        new RangeError(`Pool "${name}" must have 0 ≤ min ≤ max and 1 ≤ max: min ${min}, max ${max}`)
      )
    }
    const core = new PoolCore<A, E>({
      name,
      min,
      max,
      maxWaiters,
      acquireTimeout,
      leakThreshold,
      closeGrace,
      // Their services, but for the scope that each connection has of its own, are in the context.
      acquire: options.acquire as Effect.Effect<A, E, Scope.Scope>,
      validate: options.validate as ((connection: A) => Effect.Effect<unknown, unknown>) | undefined,
      isFatal: options.isFatal,
      validateAfterIdle: millis(options.validateAfterIdle, "500 millis"),
      validateTimeout: millis(options.validateTimeout, "5 seconds"),
      maxLifetime: millis(options.maxLifetime, "30 minutes"),
      jitter: options.jitter ?? 0.025,
      idleTimeout: millis(options.idleTimeout, "10 minutes"),
      context: context as Context.Context<never>,
      dispatcher,
      now,
      random: () => random.nextDoubleUnsafe()
    })
    const { counts } = core
    yield* instrumentPool(core)

    const holders = (): ReadonlyArray<Holder> => holdersOf(core, now(), clock.currentTimeMillisUnsafe())

    const wait = (
      lease: Lease<A>,
      fiber: Fiber.Fiber<unknown, unknown>,
      own: LeaseOptions | undefined
    ): Effect.Effect<void, E | LeaseError> => {
      if (core.closed) return Effect.fail(new PoolClosed({ pool: name }))
      if (core.isFull) {
        counts.rejected++
        return Effect.fail(new PoolSaturated({ pool: name, waiting: core.waiters.size, max, holders: holders() }))
      }
      const timeout = own?.acquireTimeout === undefined ? acquireTimeout : millis(own.acquireTimeout, 0)
      return core.wait(lease, fiber, own?.label, timeout, (waited) =>
        new AcquireTimeout({
          pool: name,
          waited: Duration.millis(Math.round(waited)),
          max,
          opening: core.count("opening"),
          holders: holders()
        }))
    }

    const use = <B, E2, R2>(
      f: (connection: A) => Effect.Effect<B, E2, R2>,
      own?: LeaseOptions
    ): Effect.Effect<B, E | E2 | LeaseError, R2> =>
      Effect.suspend(() => {
        let slot: Slot<A> | undefined
        let lease: Lease<A> | undefined
        // The lease is begun inside of what ends it: a fiber may be interrupted before any operation.
        return Effect.onExitPrimitive(
          Effect.withFiber<B, E | E2 | LeaseError, R2>((fiber) => {
            slot = core.take(fiber, own?.label)
            if (slot !== undefined) return f(slot.connection)
            const line: Lease<A> = lease = { slot: undefined, waiter: undefined }
            return Effect.flatMap(wait(line, fiber, own), () => f(line.slot!.connection))
          }),
          (exit) => {
            if (slot !== undefined) core.giveBack(slot, exit)
            else if (lease !== undefined) core.end(lease, exit)
            return undefined
          }
        )
      })

    /** Gives a connection to a scope, in the step in which it was taken. */
    const keep = (slot: Slot<A>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A> => {
      if (addFinalizerNow(Context.getUnsafe(fiber.context, Scope.Scope), slot.release)) return slot.opened!
      // Whoever still runs in a scope that is closed must not have a connection that nobody will take back.
      core.giveBack(slot, Exit.void)
      return Effect.interrupt
    }

    const lease: ConnectionPool<A, E>["lease"] = (own) =>
      Effect.withFiber<A, E | LeaseError, Scope.Scope>((fiber) => {
        const slot = core.take(fiber, own?.label)
        if (slot !== undefined) return keep(slot, fiber)
        const line: Lease<A> = { slot: undefined, waiter: undefined }
        return Effect.onExitPrimitive(
          Effect.flatMap(Effect.suspend(() => wait(line, fiber, own)), () => {
            const got = line.slot!
            line.slot = undefined
            return keep(got, fiber)
          }),
          (exit) => {
            core.end(line, exit)
            return undefined
          }
        )
      })

    const waitFor = (holds: () => boolean, until: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (holds() || isDue(until, now())) return Effect.void
        const sleep = Effect.sleep(until - now())
        return Effect.andThen(Effect.raceFirst(core.changed.await(holds), sleep), waitFor(holds, until))
      })

    const drain = (grace: Duration.Input = closeGrace): Effect.Effect<DrainReport> =>
      Effect.gen(function*() {
        const start = now()
        const around = Duration.toMillis(yield* Deadline.remaining)
        const last = start + Math.min(millis(grace, 0), around)
        core.shut(() => Effect.fail(new PoolClosed({ pool: name })))
        yield* waitFor(() => core.leased === 0, start + (last - start) * leaseShare)
        const left = holders()
        if (left.length > 0) {
          yield* Effect.logWarning(`Pool "${name}" closes connections that are in use: ${renderHolders(left, max)}`)
        }
        core.revoke()
        yield* waitFor(() => core.slots.size === 0, last)
        const stuck = core.slots.size
        core.abandon()
        return { held: left, stuck, elapsed: Duration.millis(now() - start) }
      })

    yield* Effect.addFinalizer(() => drain())
    yield* takePart(`pool ${name}`, Effect.flatMap(Deadline.remaining, drain), { order: "resources" })
    core.pump()

    return {
      lease,
      use,
      drain,
      holders: Effect.sync(holders),
      retire: (connection) => Effect.sync(() => core.retire(connection)),
      health: Effect.sync(() => healthOf(core, now()))
    }
  })

/**
 * The class of a pool that is a service: {@link Service} makes it.
 *
 * @category services
 */
export interface ConnectionPoolClass<Self, Id extends string, A, E>
  extends Context.ServiceClass<Self, Id, ConnectionPool<A, E>>
{
  readonly layer: <R>(options: ConnectionPoolOptions<A, E, R>) => Layer.Layer<Self, never, Exclude<R, Scope.Scope>>
  /** What is no matter of configuration is given beside it. */
  readonly layerConfig: <R>(
    config: Config.Wrap<PoolSettings>,
    options: Omit<ConnectionPoolOptions<A, E, R>, keyof PoolSettings>
  ) => Layer.Layer<Self, Config.ConfigError, Exclude<R, Scope.Scope>>
}

/**
 * Makes a service of a pool.
 *
 * **Example**
 *
 * ```ts
 * import * as ConnectionPool from "@fiberscope/core/ConnectionPool"
 * import { Effect } from "effect"
 *
 * class Database extends ConnectionPool.Service<Database, { readonly id: number }>()("app/Database") {}
 *
 * const program = Effect.gen(function*() {
 *   const database = yield* Database
 *   console.log(yield* database.use(({ id }) => Effect.succeed(id))) // 1
 * })
 *
 * Effect.runFork(Effect.provide(program, Database.layer({ acquire: Effect.succeed({ id: 1 }) })))
 * ```
 *
 * @category services
 */
export const Service =
  <Self, A, E = never>() => <const Id extends string>(id: Id): ConnectionPoolClass<Self, Id, A, E> => {
    const Key = Context.Service<Self, ConnectionPool<A, E>>()(id)
    return Object.assign(Key, {
      layer: <R>(options: ConnectionPoolOptions<A, E, R>): Layer.Layer<Self, never, Exclude<R, Scope.Scope>> =>
        Layer.effect(Key, make(options)),
      layerConfig: <R>(
        config: Config.Wrap<PoolSettings>,
        options: Omit<ConnectionPoolOptions<A, E, R>, keyof PoolSettings>
      ): Layer.Layer<Self, Config.ConfigError, Exclude<R, Scope.Scope>> =>
        Layer.effect(Key, Effect.flatMap(Config.unwrap(config), (settings) => make({ ...settings, ...options })))
    })
  }

const millis = (duration: Duration.Input | undefined, otherwise: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(duration ?? otherwise))
