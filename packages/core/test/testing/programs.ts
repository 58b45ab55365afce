/** Programs that the lab must pass, and programs whose bugs it must find. */
import { Context, Effect, Exit, Fiber, FiberSet, Layer, Pool, RcMap, Scope, Semaphore, Stream } from "effect"
import type { Ledger } from "../../src/testing/index.ts"
import { Script } from "../../src/testing/index.ts"

export type Program = (ledger: Ledger) => Effect.Effect<unknown, unknown, Scope.Scope>

const slow = { takes: 5 }
const slowly = { takes: 3 }

export const work = Effect.gen(function*() {
  for (let i = 0; i < 5; i++) {
    yield* Effect.succeed(i)
    yield* Effect.yieldNow
  }
  yield* Effect.sleep(10)
  yield* Effect.forEach([1, 2, 3], (ms) => Effect.sleep(ms), { concurrency: 2 })
})

class Db extends Context.Service<Db, string>()("Db") {}

export const correct: Record<string, Program> = {
  "acquireUseRelease": (l) => Effect.acquireUseRelease(l.open("a"), () => work, (lease) => l.close(lease)),
  "acquireUseRelease, slow": (l) =>
    Effect.acquireUseRelease(l.open("a", slow), () => work, (lease) => l.close(lease, slowly)),
  "acquireUseRelease, nested": (l) =>
    Effect.acquireUseRelease(
      l.open("a", slow),
      () =>
        Effect.acquireUseRelease(l.open("b"), () =>
          Effect.acquireUseRelease(l.open("c", slow), () => work, (lease) => l.close(lease, slowly)), (lease) =>
          l.close(lease, slowly)),
      (lease) =>
        l.close(lease)
    ),
  "acquireRelease in a scope": (l) =>
    Effect.scoped(Effect.gen(function*() {
      yield* l.resource("a", { closes: 3 })
      yield* l.resource("b", { opens: 5 })
      yield* l.resource("c", { closes: 3 })
      yield* work
    })),
  "children that are interrupted before they begin": (l) =>
    Effect.scoped(Effect.gen(function*() {
      yield* l.resource("a")
      yield* Effect.forkScoped(Effect.never)
      yield* Effect.forkScoped(Effect.never)
    })),
  "children, a race and a timeout": (l) =>
    Effect.gen(function*() {
      const child = yield* Effect.forkChild(
        Effect.acquireUseRelease(l.open("child", slow), () => Effect.sleep(50), (lease) => l.close(lease, slowly))
      )
      yield* Effect.race(
        Effect.acquireUseRelease(l.open("left"), () => Effect.sleep(4), (lease) => l.close(lease)),
        Effect.acquireUseRelease(l.open("right", slow), () => Effect.sleep(40), (lease) => l.close(lease, slowly))
      )
      yield* Effect.ignore(
        Effect.timeout(
          Effect.acquireUseRelease(l.open("late"), () => Effect.never, (lease) => l.close(lease, slowly)),
          7
        )
      )
      yield* Fiber.join(child)
    }),
  "Scope.use": (l) => Effect.flatMap(Scope.make(), (scope) => Scope.use(l.resource("a", { closes: 3 }), scope)),
  "Scope.close at an interruptible level": (l) =>
    Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      return Effect.onExit(
        Effect.gen(function*() {
          yield* Scope.provide(l.resource("a"), scope)
          yield* Effect.yieldNow
          yield* Scope.close(scope, Exit.void)
        }),
        () => Scope.close(scope, Exit.void)
      )
    }),
  "a layer and a FiberSet": (l) =>
    Effect.provide(
      Effect.scoped(Effect.gen(function*() {
        const set = yield* FiberSet.make()
        for (let i = 0; i < 3; i++) {
          yield* FiberSet.run(
            set,
            Effect.acquireUseRelease(l.open(`worker${i}`), () => Effect.sleep(5 + i), (lease) => l.close(lease, slowly))
          )
        }
        yield* Db
        yield* FiberSet.awaitEmpty(set)
      })),
      Layer.effect(Db, Effect.map(l.resource("db", { opens: 5, closes: 3 }), ({ id }) => id))
    ),
  "a pool of two, four users": (l) =>
    Effect.scoped(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: l.resource("connection", { opens: 5, closes: 3 }), size: 2 })
      yield* Effect.forEach([1, 2, 3, 4], () => Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sleep(4))), {
        concurrency: 4
      })
      yield* Pool.use(pool, () => Effect.sleep(1))
    })),
  "a semaphore": (l) =>
    Effect.gen(function*() {
      const semaphore = yield* Semaphore.make(1)
      l.always("one in the critical section", () => l.held.length <= 1)
      yield* Effect.forEach(
        [1, 2, 3],
        () =>
          semaphore.withPermits(1)(
            Effect.acquireUseRelease(l.open("in"), () => Effect.sleep(2), (lease) => l.close(lease))
          ),
        { concurrency: 3 }
      )
    }),
  "RcMap": (l) =>
    Effect.scoped(Effect.gen(function*() {
      const map = yield* RcMap.make({
        lookup: (key: string) => l.resource(key, { opens: 5, closes: 3 }),
        idleTimeToLive: 10
      })
      yield* Effect.forEach(["x", "x", "y"], (key) =>
        Effect.scoped(Effect.andThen(RcMap.get(map, key), Effect.sleep(3))), {
        concurrency: 3
      })
    })),
  "a stream with a buffer": (l) =>
    Stream.unwrap(Effect.as(l.resource("source", { closes: 3 }), Stream.range(1, 20))).pipe(
      Stream.buffer({ capacity: 2 }),
      Stream.mapEffect(
        () => Effect.acquireUseRelease(l.open("item"), () => Effect.sleep(1), (lease) => l.close(lease)),
        { concurrency: 3 }
      ),
      Stream.take(5),
      Stream.runDrain
    )
}

export const wrong: Record<string, Program> = {
  "acquires, and attaches the finalizer one operation later": (l) =>
    Effect.flatMap(l.open("a"), (lease) => Effect.onExit(work, () => l.close(lease))),
  "acquires in a generator, then adds a finalizer": (l) =>
    Effect.scoped(Effect.gen(function*() {
      const lease = yield* l.open("a")
      yield* Effect.addFinalizer(() => l.close(lease))
      yield* work
    })),
  "keeps what it acquired in a variable that is set too late": (l) =>
    Effect.suspend(() => {
      let lease: { readonly close: Effect.Effect<void> } | undefined
      return Effect.ensuring(
        Effect.gen(function*() {
          const opened = yield* l.open("a", slow)
          lease = { close: l.close(opened) }
          yield* work
        }),
        Effect.suspend(() => lease === undefined ? Effect.void : lease.close)
      )
    }),
  "acquires uninterruptibly, with the finalizer outside": (l) =>
    Effect.flatMap(Effect.uninterruptible(l.open("a", slow)), (lease) => Effect.ensuring(work, l.close(lease))),
  "closes only when all goes well": (l) =>
    Effect.gen(function*() {
      const lease = yield* l.open("a")
      yield* work
      yield* l.close(lease)
    }),
  "leaves a resource to a detached fiber": (l) =>
    Effect.gen(function*() {
      yield* Effect.forkDetach(Effect.acquireUseRelease(l.open("a"), () => Effect.never, (lease) => l.close(lease)))
      yield* work
    })
}

/** Operations for random programs. All release what they acquire, except the last one when `seeded` with a bug. */
export const operations = (
  ledger: Ledger,
  seeded: boolean
): ReadonlyArray<Script.Operation<unknown, never>> => [
  (body) => Effect.acquireUseRelease(ledger.open("r"), () => body, (lease) => ledger.close(lease, { takes: 1 })),
  (body) =>
    Effect.acquireUseRelease(ledger.open("r", { takes: 2 }), () => body, (lease) => ledger.close(lease, { takes: 1 })),
  (body) => Effect.andThen(ledger.resource("r", { opens: 2, closes: 1 }), body),
  ...(seeded
    ? [
      (body: Effect.Effect<void, Script.Failed, Scope.Scope>) =>
        Effect.flatMap(ledger.open("r"), (lease) => Effect.onExit(body, () => ledger.close(lease, { takes: 1 })))
    ]
    : [])
]

export const program = (script: Script.Script, seeded = false): Program => (ledger) =>
  Script.toEffect(script, operations(ledger, seeded))
