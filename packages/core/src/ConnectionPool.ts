/**
 * A pool of shared connections whose leases are named.
 *
 * **When to use**
 *
 * Use it for resources that are costly to open, limited in number and used by one fiber at a time: database connections, sessions
 * of a broker.
 *
 * **Details**
 *
 * A pool reports who holds its connections and since when, which leases may be forgotten, why no connection is free, and whether
 * the server responds. Waiting fibers are served first come, first served; their number and their waiting time are limited. There
 * are never more than `max` connections, including those being opened and closed. An idle connection is validated before it is
 * lent, and is closed if the validation fails.
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
 * The result of draining a pool: the leases whose connections were closed while in use, and the number of connections that did
 * not close.
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
  /** The purpose of the lease. Default: the name of the function that takes it. */
  readonly label?: string | undefined
  /** The maximum waiting time. Default: that of the pool. */
  readonly acquireTimeout?: Duration.Input | undefined
}

/**
 * The limits of a pool. The defaults follow HikariCP and tarn.
 *
 * @category models
 */
export interface PoolSettings {
  /** The name in messages, and the attribute `name` of the metrics. Default `"default"`. */
  readonly name?: string | undefined
  /** The minimum number of open connections. Default 0. */
  readonly min?: number | undefined
  /** The maximum number of open connections. Default 10. */
  readonly max?: number | undefined
  /** The maximum time to wait for a connection, and to open one. Default 30 seconds. */
  readonly acquireTimeout?: Duration.Input | undefined
  /** The maximum number of waiting fibers; a further request fails immediately. Default 256. */
  readonly maxWaiters?: number | undefined
  /** A lease held longer than this is reported, once. Default 30 seconds. */
  readonly leakThreshold?: Duration.Input | undefined
  /** Connections idle for at least this time are validated before they are lent. Default 500 milliseconds; 0 validates always. */
  readonly validateAfterIdle?: Duration.Input | undefined
  /** A validation that takes longer has failed. Default 5 seconds. */
  readonly validateTimeout?: Duration.Input | undefined
  /** The maximum age of a connection. An older one is replaced as soon as it is not in use. Default 30 minutes. */
  readonly maxLifetime?: Duration.Input | undefined
  /** The share of `maxLifetime` that is subtracted at random, so that connections do not expire together. Default 0.025. */
  readonly jitter?: number | undefined
  /** A connection beyond `min` that has been idle for this time is closed. Default 10 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** The maximum time to drain the pool, and to close one connection. Default 10 seconds. */
  readonly closeGrace?: Duration.Input | undefined
}

/**
 * How connections are opened, validated and closed, and the limits of the pool.
 *
 * @category models
 */
export interface ConnectionPoolOptions<A, E = never, R = never> extends PoolSettings {
  /**
   * Opens a connection, which is closed at the end of its scope. An acquisition that cannot be interrupted, such as a plain
   * `Effect.acquireRelease`, occupies its place in the pool until it ends: make it `{ interruptible: true }`, or give it a time
   * limit.
   */
  readonly acquire: Effect.Effect<A, E, R>
  /** Checks a connection with a request to the server; the connection is closed when this fails. */
  readonly validate?: ((connection: A) => Effect.Effect<unknown, unknown, R>) | undefined
  /**
   * Decides whether a connection must not be reused after its use ended with this cause. When it returns true, the other idle
   * connections are validated before they are lent. Default: no failure is fatal.
   */
  readonly isFatal?: ((cause: Cause.Cause<unknown>, connection: A) => boolean) | undefined
}

/**
 * No connection became free in time. `holders` are the leases at that moment; `opening` is the number of connections that were
 * being opened.
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
    const others = opening === 0 ? "" : `; ${opening} are being opened: is the server reachable?`
    return `No connection of pool "${pool}" became free within ${rounded(waited)}: ${
      renderHolders(holders, max)
    }${others}`
  }
}

/**
 * The maximum number of fibers is already waiting.
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
    return `Pool "${pool}" is saturated: ${waiting} fibers are already waiting (maxWaiters). ${
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
    return `Pool "${this.pool}" is closed. Stop its users before it is drained`
  }
}

/**
 * Why there is no connection. A failure to open a connection is not wrapped.
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

  /** The leases of connections now, longest first. */
  readonly holders: Effect.Effect<ReadonlyArray<Holder>>

  readonly health: Effect.Effect<PoolHealth>

  /** Marks a connection to be closed instead of lent again: immediately if it is idle, otherwise when it is returned. */
  readonly retire: (connection: A) => Effect.Effect<void>

  /**
   * Refuses new leases, fails waiting fibers, waits for held connections, and closes everything. Ends within the grace, or by the
   * enclosing deadline if that is earlier.
   *
   * **Details**
   *
   * Holders have four fifths of the grace. After that their connections are closed even though they are in use, and the report
   * and the log name the holders. The last fifth is for closing. Default: `closeGrace`.
   */
  readonly drain: (grace?: Duration.Input) => Effect.Effect<DrainReport>
}

/** The share of the grace that holders have; the rest is for closing. */
const leaseShare = 0.8

/**
 * Makes a pool in a scope, and drains it when the scope closes.
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
      // All required services are in the context, except the scope: each connection has its own.
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
        // The lease begins inside the effect whose exit ends it: a fiber may be interrupted before any operation.
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

    /** Registers the release of a connection in a scope, in the same step in which it was taken. */
    const keep = (slot: Slot<A>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A> => {
      if (addFinalizerNow(Context.getUnsafe(fiber.context, Scope.Scope), slot.release)) return slot.opened!
      // A fiber that still runs in a closed scope must not get a connection: its release would never run.
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
  /** Options that cannot come from Config are passed separately. */
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
