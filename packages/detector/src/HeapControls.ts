/**
 * Two fibers of which it is known whether they can be resumed, planted in a program before its heap snapshot is taken.
 *
 * **Details**
 *
 * One waits for a Deferred that nothing else holds, the other one for a timer. Both are listed in a FiberSet, and neither keeps the process
 * alive. A change of V8 or of Effect that makes the search for blocked fibers wrong makes it wrong about these two as well, so the search
 * claims nothing.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { controlNames } from "./heap/effect/Controls.ts"

/** Plants the controls. They end with the scope. */
export const plantControls: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function*() {
  const fibers = yield* FiberSet.make<void>()
  const blocked = yield* FiberSet.run(fibers, Effect.suspend(() => Deferred.await(Deferred.makeUnsafe<void>())))
  const waiting = yield* FiberSet.run(fibers, waitForTimer)
  const controls = {
    [controlNames.blocked]: new WeakRef(blocked),
    [controlNames.waiting]: new WeakRef(waiting),
    fibers
  }
  planted.add(controls)
  yield* Effect.addFinalizer(() => Effect.sync(() => planted.delete(controls)))
})

interface Planted {
  readonly [name: string]: WeakRef<Fiber.Fiber<void>> | FiberSet.FiberSet<void>
}

/** The controls of this process: they have to be reachable when the snapshot is taken. */
const planted = new Set<Planted>()

const month = 2_000_000_000

/** Effect's own timers keep the process alive. */
const startTimer = (done: () => void): () => void => {
  const timer = setTimeout(done, month)
  timer.unref()
  return () => clearTimeout(timer)
}

const waitForTimer = Effect.callback<void>((resume) => Effect.sync(startTimer(() => resume(Effect.void))))
