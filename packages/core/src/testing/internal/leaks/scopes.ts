/** Scopes that a test has opened and not closed, with the finalizers that have not run. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import type { Place } from "../places.ts"
import { renderPlace } from "../suspendedAt.ts"
import type { Leak, Probe, Watch } from "./Watch.ts"

interface Scopes {
  /** The scopes that fibers of the test were in, and the place where each was first seen. */
  readonly seen: Map<Scope.Scope, Place | undefined>
}

const scopesOf = (watch: Watch): Scopes => watch.of(scopes, (): Scopes => ({ seen: new Map() }))

const maxSeen = 1000

/**
 * A scheduler that delegates to another one, and observes the scope that each fiber of the test is in. No other hook of the
 * runtime sees all fibers.
 */
export const seeingScopes = (watch: Watch, inner: Scheduler.Scheduler): Scheduler.Scheduler => {
  const { seen } = scopesOf(watch)
  let last: unknown
  return {
    executionMode: inner.executionMode,
    makeDispatcher: () => inner.makeDispatcher(),
    shouldYield(fiber: Fiber.Fiber<unknown, unknown>) {
      if (fiber.context !== last) {
        last = fiber.context
        const scope = Context.getOrUndefined(fiber.context, Scope.Scope as Context.Key<Scope.Scope, Scope.Scope>)
        if (scope !== undefined && !seen.has(scope)) {
          // Most scopes close soon: remove the closed ones.
          if (seen.size > maxSeen) { for (const each of seen.keys()) if (!isOpen(each)) seen.delete(each) }
          seen.set(scope, watch.here("finalizers"))
        }
      }
      return inner.shouldYield(fiber)
    }
  }
}

export const scopes: Probe = {
  install: () => () => {},

  left: (watch) => {
    const { seen } = scopesOf(watch)
    const leaks: Array<Leak> = []
    for (const [scope, place] of seen) {
      // A scope within an open scope is one of its finalizers.
      if (!isOpen(scope) || (scope.parent !== undefined && seen.has(scope.parent) && isOpen(scope.parent))) continue
      const count = finalizers(scope)
      leaks.push({
        kind: "finalizers",
        what: `${count} of a scope that was not closed`,
        at: place,
        site: place === undefined ? [] : [`used at ${renderPlace(place)}`]
      })
    }
    return leaks
  }
}

const isOpen = (scope: Scope.Scope): boolean => scope.state._tag === "Open"

const finalizers = ({ state }: Scope.Scope): number =>
  state._tag !== "Open" ? 0 : state.finalizer === undefined ? state.finalizers?.size ?? 0 : 1
