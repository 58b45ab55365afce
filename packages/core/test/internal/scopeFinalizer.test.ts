import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { addFinalizerNow } from "../../src/internal/scopeFinalizer.ts"

// addFinalizerNow relies on the state of scopes. Effect's own finalizers are mixed in, so that a change of that state is detected.
describe("addFinalizerNow", () => {
  for (const strategy of ["sequential", "parallel"] as const) {
    for (const count of [1, 2, 3, 5]) {
      it.effect(`adds finalizers as Effect does (${count}, ${strategy})`, () =>
        Effect.gen(function*() {
          const runs = Array.from({ length: 2 ** count }, (_, bits) =>
            Effect.gen(function*() {
              const scope = yield* Scope.make(strategy)
              const got: Array<string> = []
              for (let n = 0; n < count; n++) {
                const finalizer = (exit: Exit.Exit<unknown, unknown>) =>
                  Effect.sync(() => void got.push(`${n} ${exit._tag}`))
                if ((bits >> n) % 2 === 0) yield* Scope.addFinalizerExit(scope, finalizer)
                else assert.isTrue(addFinalizerNow(scope, finalizer))
              }
              yield* Scope.close(scope, Exit.fail("no"))
              return got
            }))
          const [plain, ...mixed] = yield* Effect.all(runs)
          assert.lengthOf(plain!, count)
          for (const got of mixed) assert.deepStrictEqual(got, plain!)
        }))
    }
  }

  it.effect("adds to a scope whose finalizers were removed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.close(yield* Scope.fork(scope), Exit.void)
      let ran = 0
      assert.isTrue(addFinalizerNow(scope, () => Effect.sync(() => void ran++)))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(ran, 1)
    }))

  it.effect("adds no finalizer to a scope that is closed or being closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let late: boolean | undefined
      yield* Scope.addFinalizer(scope, Effect.sync(() => late = addFinalizerNow(scope, () => Effect.void)))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(late)
      assert.isFalse(addFinalizerNow(scope, () => Effect.void))
    }))
})
