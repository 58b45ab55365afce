import {
  Cache,
  Context,
  Effect,
  Exit,
  Layer,
  LayerMap,
  Pool,
  RcMap,
  RcRef,
  Scope,
  ScopedCache,
  ScopedRef
} from "effect"
import { InterruptLab } from "../../../src/testing/index.ts"
import type { Ledger } from "../../../src/testing/index.ts"
import type { Case } from "./Case.ts"
import { contended, one } from "./Case.ts"

const slow = { opens: 3, closes: 2 }
const hold = Effect.sleep(5)

const pool = (ledger: Ledger, size: number) => Pool.make({ acquire: ledger.resource("item", slow), size })

class Db extends Context.Service<Db, string>()("Db") {}

export const resources: ReadonlyArray<Case> = [
  one(
    "Pool.use",
    (ledger) =>
      Effect.flatMap(
        pool(ledger, 1),
        (pool) => InterruptLab.subject(Pool.use(pool, () => Effect.yieldNow), { again: true })
      )
  ),
  one("Pool.use, when the items are there", (ledger) =>
    Effect.flatMap(
      pool(ledger, 1),
      (pool) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          InterruptLab.subject(Pool.use(pool, () => Effect.yieldNow), { again: true })
        )
    )),
  one("Pool.get, when the items are there", (ledger) =>
    Effect.flatMap(
      pool(ledger, 1),
      (pool) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          InterruptLab.subject(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.yieldNow)), { again: true })
        )
    )),
  one(
    "Pool.use, contended",
    (ledger) => Effect.flatMap(pool(ledger, 1), (pool) => contended(Pool.use(pool, () => hold)))
  ),
  one(
    "Pool.get, contended",
    (ledger) =>
      Effect.flatMap(pool(ledger, 2), (pool) => contended(Effect.scoped(Effect.andThen(Pool.get(pool), hold))))
  ),
  one("Pool.makeWithTTL", (ledger) =>
    Effect.flatMap(
      Pool.makeWithTTL({ acquire: ledger.resource("item", slow), min: 0, max: 2, timeToLive: "10 seconds" }),
      (pool) => contended(Pool.use(pool, () => hold))
    )),
  one(
    "Pool.invalidate",
    (ledger) =>
      Effect.flatMap(
        pool(ledger, 1),
        (pool) => contended(Pool.use(pool, (item) => Effect.andThen(hold, Pool.invalidate(pool, item))))
      )
  ),
  one("Pool.make in a scope", (ledger) => Effect.scoped(Effect.flatMap(pool(ledger, 2), Pool.get))),
  one("RcRef.get", (ledger) =>
    Effect.flatMap(RcRef.make({ acquire: ledger.resource("ref") }), (ref) =>
      Effect.andThen(
        InterruptLab.subject(Effect.scoped(Effect.andThen(RcRef.get(ref), Effect.yieldNow)), { again: true }),
        atRest(ledger)
      ))),
  one(
    "RcRef.get, contended",
    (ledger) =>
      Effect.flatMap(
        RcRef.make({ acquire: ledger.resource("ref", slow) }),
        (ref) => Effect.andThen(contended(Effect.scoped(Effect.andThen(RcRef.get(ref), hold))), atRest(ledger))
      )
  ),
  one(
    "RcMap.get, contended",
    (ledger) =>
      Effect.flatMap(
        RcMap.make({ lookup: (key: string) => ledger.resource(key, slow) }),
        (map) => Effect.andThen(contended(Effect.scoped(Effect.andThen(RcMap.get(map, "k"), hold))), atRest(ledger))
      )
  ),
  one("RcMap.get with idle time", (ledger) =>
    Effect.flatMap(
      RcMap.make({ lookup: (key: string) => ledger.resource(key, slow), idleTimeToLive: "10 seconds" }),
      (map) => Effect.andThen(contended(Effect.scoped(Effect.andThen(RcMap.get(map, "k"), hold))), atRest(ledger))
    )),
  one(
    "ScopedRef.set",
    (ledger) =>
      Effect.flatMap(
        ScopedRef.fromAcquire(ledger.resource("first", slow)),
        (ref) => InterruptLab.subject(ScopedRef.set(ref, ledger.resource("next", slow)), { again: true })
      )
  ),
  one(
    "Cache.get, contended",
    () =>
      Effect.flatMap(
        Cache.make({ capacity: 2, lookup: (key: string) => Effect.as(Effect.sleep(3), key) }),
        (cache) => contended(Cache.get(cache, "k"))
      )
  ),
  one(
    "ScopedCache.get, contended",
    (ledger) =>
      Effect.flatMap(
        ScopedCache.make({ capacity: 2, lookup: (key: string) => ledger.resource(key, slow) }),
        (cache) => contended(Effect.andThen(ScopedCache.get(cache, "k"), hold))
      )
  ),
  one(
    "ScopedCache.get, evicting",
    (ledger) =>
      Effect.flatMap(
        ScopedCache.make({ capacity: 1, lookup: (key: string) => ledger.resource(key, slow) }),
        (cache) =>
          InterruptLab.subject(Effect.andThen(ScopedCache.get(cache, "a"), ScopedCache.get(cache, "b")), {
            again: true
          })
      )
  ),
  one(
    "ScopedCache.invalidate",
    (ledger) =>
      Effect.flatMap(
        ScopedCache.make({ capacity: 2, lookup: (key: string) => ledger.resource(key, slow) }),
        (cache) =>
          InterruptLab.subject(
            Effect.andThen(ScopedCache.get(cache, "a"), ScopedCache.invalidate(cache, "a")),
            { again: true }
          )
      )
  ),
  one("LayerMap.get, contended", (ledger) =>
    Effect.flatMap(
      LayerMap.make((key: string) => Layer.effect(Db, Effect.map(ledger.resource(key, slow), ({ id }) => id))),
      (map) => contended(Effect.scoped(Effect.provide(Effect.andThen(Db, hold), map.get("k"))))
    )),
  one("Scope.provide and Scope.close", (ledger) =>
    Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      return Effect.onExit(
        Effect.andThen(Scope.provide(ledger.resource("a", slow), scope), Scope.close(scope, Exit.void)),
        () => Scope.close(scope, Exit.void)
      )
    })),
  one(
    "Scope.use",
    (ledger) =>
      Effect.flatMap(Scope.make(), (scope) => Scope.use(Effect.andThen(ledger.resource("a", slow), hold), scope))
  ),
  one("acquireUseRelease, nested", (ledger) =>
    Effect.acquireUseRelease(
      ledger.open("a", { takes: 3 }),
      () => Effect.acquireUseRelease(ledger.open("b"), () => hold, (lease) => ledger.close(lease, { takes: 2 })),
      (lease) => ledger.close(lease)
    ), { inject: ["failingAcquire", "dyingRelease", "slowRelease"] }),
  one("acquireRelease, three in a scope", (ledger) =>
    Effect.scoped(Effect.andThen(
      Effect.andThen(ledger.resource("a"), ledger.resource("b", slow)),
      Effect.andThen(ledger.resource("c"), hold)
    )), { inject: ["failingAcquire", "dyingRelease", "slowRelease"] }),
  one(
    "Effect.cached",
    (ledger) =>
      Effect.flatMap(Effect.cached(ledger.open("once", { takes: 3 })), (cached) =>
        Effect.ensuring(
          contended(cached),
          Effect.suspend(() => Effect.forEach(ledger.held, (lease) => ledger.close(lease)))
        ))
  )
]

/** Checks that no resource is held for longer than the idle time after all users have ended. */
const atRest = (ledger: Ledger): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.sleep("1 minute"),
    () => ledger.held.length === 0 ? Effect.void : Effect.die(new Error(`${ledger.held.join(", ")} is held for nobody`))
  )
