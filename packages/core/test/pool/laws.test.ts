import { describe, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import type { Lease, Ledger } from "../../src/testing/index.ts"
import { InterruptLab, Laws, Script } from "../../src/testing/index.ts"
import { heard } from "../support/heard.ts"

describe("ConnectionPool", () => {
  describe("keeps the laws of a pool", () => {
    const laws = Laws.pool(({ acquire, size }) => ConnectionPool.make({ acquire, max: size }))
    for (const { check, name } of laws) it.effect(name, () => check)
    const validating = Laws.pool(({ acquire, size }) =>
      ConnectionPool.make({ acquire, max: size, validateAfterIdle: 0, validate: () => Effect.sleep(1) })
    )
    for (const { check, name } of validating) it.effect(`${name} (with validation)`, () => check)
  })

  describe("for random programs, interrupted at every point", () => {
    const max = 2

    /** A pool over the ledger that checks the reported holders, the number of connections, and that none is shared. */
    const program = (ledger: Ledger, script: Script.Script, flaky: boolean) =>
      heard(({ lines }) =>
        Effect.gen(function*() {
          const inUse = new Map<Lease, number>()
          let shared = false
          let broken = 0
          let lentBroken = false
          const pool = yield* ConnectionPool.make({
            acquire: ledger.resource("connection", { opens: 2, closes: 2 }),
            max,
            min: 1,
            acquireTimeout: 8,
            maxWaiters: 3,
            leakThreshold: 5,
            validateAfterIdle: 2,
            validateTimeout: 3,
            maxLifetime: 30,
            idleTimeout: 15,
            closeGrace: 60_000,
            validate: (lease) =>
              Effect.andThen(
                Effect.sleep(flaky ? 1 : 0),
                Effect.suspend(() => flaky && ++broken % 3 === 0 ? Effect.fail(dead.add(lease)) : Effect.void)
              ),
            isFatal: (cause) => Cause.hasFails(cause)
          })
          const dead = new Set<Lease>()
          ledger.always("open connections: at most max", () => ledger.held.length <= max)
          ledger.always("a connection has one user at a time", () => !shared)
          ledger.always("no connection is lent that has failed its validation", () => !lentBroken)
          const told = new Set<string>()
          let toldTwice = false
          let revoked = false
          const hear = () => {
            for (const line of lines.splice(0)) {
              revoked ||= line.includes("closes connections that are in use")
              const found = /"(lease \d+)" in .* (and may be forgotten|has come back)/.exec(line)
              if (found === null) continue
              toldTwice ||= told.has(found.slice(1).join())
              told.add(found.slice(1).join())
            }
          }
          ledger.always("holders are those who hold, until a drain closes what they hold", () => {
            hear()
            const holders = Effect.runSync(pool.holders)
            return revoked || inUse.size <= holders.length
                && [...inUse.values()].every((fiber) => holders.some((holder) => holder.fiber === fiber))
          })
          ledger.always("a lease is reported once, and its return once", () => {
            hear()
            return !toldTwice
          })
          let leases = 0
          const named = <A, E, R>(f: (options: ConnectionPool.LeaseOptions) => Effect.Effect<A, E, R>) =>
            Effect.suspend(() => f({ label: `lease ${++leases}`, acquireTimeout: 5 }))
          const within = <E>(lease: Lease, body: Effect.Effect<void, E>) =>
            Effect.withFiber<void, E>((fiber) =>
              Effect.onExit(
                Effect.suspend(() => {
                  shared ||= inUse.has(lease)
                  lentBroken ||= dead.has(lease)
                  inUse.set(lease, fiber.id)
                  ledger.use(lease)
                  return body
                }),
                () => Effect.sync(() => void inUse.delete(lease))
              )
            )
          yield* Script.toEffect<unknown, never>(script, [
            (body) => named((own) => pool.use((lease) => within(lease, Effect.scoped(body)), own)),
            (body) => Effect.flatMap(named(pool.lease), (lease) => within(lease, Effect.scoped(body))),
            (body) => pool.use((lease) => within(lease, Effect.andThen(pool.retire(lease), Effect.scoped(body)))),
            (body) => Effect.andThen(pool.health, body),
            (body) => Effect.andThen(Effect.forkChild(Effect.delay(pool.drain(20), 5)), body)
          ])
        }).pipe(Effect.scoped)
      )

    for (const order of ["fifo", "random"] as const) {
      it.effect.prop(
        `loses and shares no connection, and reports correct holders at every moment (${order} order)`,
        { script: Script.Script, flaky: Schema.Boolean },
        ({ flaky, script }) =>
          InterruptLab.verify((ledger) => program(ledger, script, flaky), { order, seed: script.length }),
        { arbitrary: { runs: 40 }, timeout: 60_000 }
      )
    }

    it.effect.prop(
      "does so with failing acquisitions, and dying and slow releases",
      { script: Script.Script, flaky: Schema.Boolean },
      ({ flaky, script }) =>
        InterruptLab.verify((ledger) => program(ledger, script, flaky), {
          order: "random",
          seed: script.length,
          inject: ["failingAcquire", "dyingRelease", "slowRelease"]
        }),
      { arbitrary: { runs: 20 }, timeout: 60_000 }
    )

    const busy: Script.Script = [
      {
        op: "both",
        left: [{ op: "use", n: 0, body: [{ op: "sleep", ms: 3 }] }],
        right: [{ op: "use", n: 1, body: [{ op: "fail" }] }]
      },
      { op: "sleep", ms: 4 },
      { op: "use", n: 0, body: [{ op: "sleep", ms: 2 }] }
    ]

    for (const flaky of [false, true]) {
      it.effect(`does so in a busy pool, with all of that (${flaky ? "flaky" : "steady"} server)`, () =>
        InterruptLab.verify((ledger) => program(ledger, [{ op: "attempt", body: busy }], flaky), {
          order: "random",
          inject: ["failingAcquire", "dyingRelease", "slowRelease"]
        }))
    }
  })
})
