/**
 * Random programs over your own operations, for properties.
 *
 * **When to use**
 *
 * Use it when all programs that you think of pass: a property over scripts combines your operations with sleeps, forks, races,
 * timeouts, failures and masks in unusual ways, and shrinks a failure to the shortest program that still fails.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, RcRef } from "effect"
 * import { InterruptLab, Script } from "@fiberscope/core/testing"
 *
 * it.effect.prop("the shared connection is closed after any program", { script: Script.Script }, ({ script }) =>
 *   InterruptLab.verify((ledger) =>
 *     Effect.gen(function*() {
 *       const connection = yield* RcRef.make({ acquire: ledger.resource("connection") })
 *       yield* Script.toEffect(script, [(body) => Effect.andThen(RcRef.get(connection), body)])
 *     }), { order: "random" }), { arbitrary: { runs: 20 } })
 * ```
 *
 * **Gotchas**
 *
 * Scripts nest operations, also under masks. If one operation may wait for another (a pool, a semaphore), give it a time limit
 * that works under a mask, as in `Effect.timeoutOption(Effect.interruptible(operation), "1 second")`. Without it a script that
 * nests deeply enough waits for itself, and the lab correctly reports that the program never ended.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * One step of a script. `use` calls operation `n` of the program under test around a body; times are in milliseconds.
 *
 * @category models
 */
export type Step =
  | { readonly op: "yield" | "fail" }
  | { readonly op: "sleep"; readonly ms: number }
  | { readonly op: "use"; readonly n: number; readonly body: Script }
  | { readonly op: "attempt" | "mask" | "fork"; readonly body: Script }
  | { readonly op: "timeout"; readonly ms: number; readonly body: Script }
  | { readonly op: "race" | "both"; readonly left: Script; readonly right: Script }

/**
 * Steps in sequence.
 *
 * @category models
 */
export type Script = ReadonlyArray<Step>

const Ms = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
const Body = Schema.suspend((): Schema.Codec<Script> => Script)

/**
 * The schema of scripts, from which `it.effect.prop` derives random ones and shrinks them.
 *
 * @category schemas
 */
export const Script: Schema.Codec<Script> = Schema.Array(Schema.Union([
  Schema.Struct({ op: Schema.Literal("yield") }),
  Schema.Struct({ op: Schema.Literal("sleep"), ms: Ms }),
  Schema.Struct({
    op: Schema.Literal("use"),
    n: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
    body: Body
  }),
  Schema.Struct({ op: Schema.Literals(["attempt", "mask", "fork"]), body: Body }),
  Schema.Struct({ op: Schema.Literal("timeout"), ms: Ms, body: Body }),
  Schema.Struct({ op: Schema.Literals(["race", "both"]), left: Body, right: Body }),
  Schema.Struct({ op: Schema.Literal("fail") })
])).check(Schema.isMaxLength(3))

/**
 * A `fail` step of a script.
 *
 * @category models
 */
export type Failed = "the script fails"

/**
 * The operation under test, around a body that may fail.
 *
 * @category models
 */
export type Operation<E, R> = (
  body: Effect.Effect<void, Failed, Scope.Scope>
) => Effect.Effect<unknown, E | Failed, R | Scope.Scope>

/**
 * Converts a script to a program over the given operations.
 *
 * **Details**
 *
 * `attempt` continues after a failure, `mask` makes its body uninterruptible, `fork` starts a child, `race` takes the first
 * result, `both` waits for two. A scope is open around each body that is passed to an operation. `use` takes the operation `n`
 * modulo their number.
 *
 * @category constructors
 */
export const toEffect = <E = never, R = never>(
  script: Script,
  operations: ReadonlyArray<Operation<E, R>>
): Effect.Effect<void, E | Failed, Exclude<R, Scope.Scope>> => {
  // The type of an operation need not know that its body may fail.
  const inside = (steps: Script) => all(steps) as Effect.Effect<void, Failed, Scope.Scope>
  // No generators: V8 keeps the closure of each, and the run that it references, until a major collection. That doubled the cost
  // of a run.
  const all = (steps: Script): Effect.Effect<void, E | Failed, R | Scope.Scope> =>
    Effect.forEach(steps, one, { discard: true })
  const one = (step: Step): Effect.Effect<unknown, E | Failed, R | Scope.Scope> => {
    switch (step.op) {
      case "yield":
        return Effect.yieldNow
      case "fail":
        return Effect.fail<Failed>("the script fails")
      case "sleep":
        return Effect.sleep(step.ms)
      case "use": {
        const operation = operations[step.n % operations.length]
        return operation === undefined ? all(step.body) : Effect.scoped(operation(inside(step.body)))
      }
      case "attempt":
        return Effect.ignore(all(step.body))
      case "mask":
        return Effect.uninterruptible(all(step.body))
      case "fork":
        return Effect.forkChild(all(step.body))
      case "timeout":
        return Effect.ignore(Effect.timeout(all(step.body), step.ms))
      case "race":
        return Effect.race(all(step.left), all(step.right))
      case "both":
        return Effect.all([all(step.left), all(step.right)], { concurrency: 2 })
    }
  }
  return Effect.scoped(all(script)) as Effect.Effect<void, E | Failed, Exclude<R, Scope.Scope>>
}
