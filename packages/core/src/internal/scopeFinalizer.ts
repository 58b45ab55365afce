/** Adds a finalizer in the same step as the resource that it finalizes. */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

/**
 * Adds a finalizer to a scope immediately; returns false when the scope is closed or being closed.
 *
 * `Scope.addFinalizer` is an effect: it costs one more operation per lease, and a fiber may be interrupted before it runs. This
 * function does the same with the documented state of scopes.
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
