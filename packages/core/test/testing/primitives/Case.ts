import { Effect, Fiber } from "effect"
import type { Scope } from "effect"
import { InterruptLab } from "../../../src/testing/index.ts"
import type { Ledger } from "../../../src/testing/index.ts"

/** A program over one of Effect's primitives, for any version of Effect. */
export interface Case {
  readonly name: string
  readonly make: (ledger: Ledger) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly options?: InterruptLab.ExploreOptions
  /** The page that describes why this case fails with the version of Effect that the workspace pins. */
  readonly finding?: string
}

export const one = (
  name: string,
  make: Case["make"],
  options: InterruptLab.ExploreOptions = {},
  finding?: string
): Case => ({ name, make, options, ...(finding === undefined ? {} : { finding }) })

/**
 * Three users of a shared resource: one that holds it when the subject arrives, the subject, which is interrupted, and one that queues
 * behind it. All must get their turn, and then the subject once more.
 */
export const contended = <A, E, R>(use: Effect.Effect<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    const before = yield* Effect.forkChild(use, { startImmediately: true })
    const after = yield* Effect.forkChild(Effect.andThen(Effect.sleep(1), use), { startImmediately: true })
    yield* InterruptLab.subject(use, { again: true })
    yield* Fiber.join(before)
    yield* Fiber.join(after)
  })
