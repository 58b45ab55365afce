/** The cost of a lease and its return, with a name, a limit and an age. */
import { Effect, Pool } from "effect"
import type { Scope } from "effect"
import * as ConnectionPool from "../../packages/core/src/ConnectionPool.ts"
import type { Comparison, Prepare } from "../harness.ts"
import { cpuTime } from "../harness.ts"

const count = 20_000

/** Nanoseconds of processor time for each of `count` leases. */
const timed = (run: () => Promise<unknown>): Prepare => () => async () => {
  const start = cpuTime()
  await run()
  return (cpuTime() - start) * 1e6 / count
}

interface Connection {
  readonly id: number
}

let opened = 0
const connect = Effect.acquireRelease(Effect.sync((): Connection => ({ id: ++opened })), () => Effect.void)

const size = 10
type Lease = Effect.Effect<void>

/** The work of one borrower with each kind of pool. All connections are open. */
const leases = (body: Effect.Effect<void>): Readonly<Record<string, Effect.Effect<Lease, never, Scope.Scope>>> => {
  const hold = () => body
  const plain = Pool.make({ acquire: connect, size })
  const ours = ConnectionPool.make({ name: "benchmark", acquire: connect, min: size, max: size, maxWaiters: 1000 })
  return {
    "Pool.use": Effect.map(plain, (pool) => Pool.use(pool, hold)),
    "ConnectionPool.use": Effect.map(ours, ({ use }) => Effect.orDie(use(hold))),
    "Pool.get": Effect.map(plain, (pool) => Effect.scoped(Effect.flatMap(Pool.get(pool), hold))),
    "ConnectionPool.lease": Effect.map(ours, ({ lease }) => Effect.orDie(Effect.scoped(Effect.flatMap(lease(), hold))))
  }
}

/** A number of concurrent borrowers, each of which takes one lease after the other. */
const borrowing = (borrowers: number, make: Effect.Effect<Lease, never, Scope.Scope>): Prepare => {
  const program = Effect.scoped(Effect.gen(function*() {
    const lease = yield* make
    const borrower = Effect.gen(function*() {
      for (let i = 0; i < count / borrowers; i++) yield* lease
    })
    yield* Effect.replicateEffect(borrower, borrowers, { concurrency: borrowers, discard: true })
  }))
  return timed(() => Effect.runPromise(program))
}

const against = (
  baseline: string,
  variant: string,
  what: string,
  borrowers: number,
  body: Effect.Effect<void>
): Comparison => {
  const make = leases(body)
  return {
    name: `lease + return, ${what}, against ${baseline}`,
    unit: "ns/lease",
    variants: { [baseline]: borrowing(borrowers, make[baseline]!), [variant]: borrowing(borrowers, make[variant]!) },
    goals: { [variant]: 1.2 },
    precision: 0.02,
    limitMs: 30_000
  }
}

const crowd = 100
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The same with promises, for pools that have `acquire` and `release`. */
const promised = (acquire: () => Promise<Connection>, release: (connection: Connection) => unknown): Prepare => {
  const borrower = async () => {
    for (let i = 0; i < count / crowd; i++) {
      const connection = await acquire()
      await turn()
      await release(connection)
    }
  }
  return timed(() => Promise.all(Array.from({ length: crowd }, borrower)))
}

/** The pools of other libraries, if they are installed. */
const others = async (): Promise<Readonly<Record<string, Prepare>>> => {
  const found: Record<string, Prepare> = {}
  const skipped = (name: string) => (error: unknown) => {
    process.stderr.write(`${name} is skipped: ${String(error).split("\n")[0]}\n`)
  }
  await import("tarn").then((tarn) => {
    found["tarn"] = () => {
      const pool = new tarn.Pool<Connection>({
        create: async () => ({ id: ++opened }),
        destroy: () => {},
        min: size,
        max: size
      })
      return promised(() => pool.acquire().promise, (connection) => pool.release(connection))()
    }
  }, skipped("tarn"))
  await import("generic-pool").then((generic) => {
    found["generic-pool"] = () => {
      const factory = { create: async () => ({ id: ++opened }), destroy: async () => {} }
      const pool = generic.createPool<Connection>(factory, { min: size, max: size })
      return promised(async () => pool.acquire(), (connection) => pool.release(connection))()
    }
  }, skipped("generic-pool"))
  return found
}

export const pools: ReadonlyArray<Comparison> = [
  against("Pool.use", "ConnectionPool.use", "with a free connection", 1, Effect.void),
  against("Pool.get", "ConnectionPool.lease", "in a scope", 1, Effect.void),
  against("Pool.use", "ConnectionPool.use", `${crowd} borrowers of ${size}, suspended once`, crowd, Effect.yieldNow),
  {
    name: `lease + return, ${crowd} borrowers of ${size}, suspended once, beside others`,
    unit: "ns/lease",
    variants: {
      "ConnectionPool.use": borrowing(crowd, leases(Effect.promise(turn))["ConnectionPool.use"]!),
      ...await others()
    },
    precision: 0.05,
    limitMs: 30_000
  }
]
