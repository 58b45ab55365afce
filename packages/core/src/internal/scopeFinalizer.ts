/** Finalizers that are added in one step with what they finalize. */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

/**
 * Adds a finalizer to a scope, now; false when the scope is closed, or is being closed.
 *
 * `Scope.addFinalizer` is an effect: an operation more for each lease, and a moment between the two in which a fiber may be interrupted.
 * This does what it does, by the documented state of scopes.
 */
export const addFinalizerNow = (
  scope: Scope.Scope,
  finalizer: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
): boolean => {
  const { state } = scope
  if (state._tag === "Closed") return false
  if (state._tag === "Empty") {
    scope.state = { _tag: "Open", finalizerKey: {}, finalizer, finalizers: undefined }
    return true
  }
  if (state.finalizers === undefined) {
    state.finalizers = new Map([[state.finalizerKey!, state.finalizer!]])
    state.finalizerKey = undefined
    state.finalizer = undefined
  }
  state.finalizers.set({}, finalizer)
  return true
}
