/** Fibers that a test has started and that have not ended, with the line of their fork. */
import * as Effect from "effect/Effect"
import { createHook, executionAsyncResource } from "node:async_hooks"
import { FiberSites, renderFrame } from "../../../FiberSite.ts"
import { supported } from "../../../internal/census/effectVersions.ts"
import type { FiberCache, RuntimeFiber } from "../../../internal/census/FiberRuntime.ts"
import { framesOf, hasEnded, isInterrupting, prototypeOf, watch } from "../../../internal/census/FiberRuntime.ts"
import { makeGuard } from "../../../internal/census/Guard.ts"
import type { Place } from "../places.ts"
import { prepare } from "../places.ts"
import { renderPlace, suspendedAt } from "../suspendedAt.ts"
import type { Leak, Probe, Watch } from "./Watch.ts"
import { owner, runningFiber } from "./Watch.ts"

interface Entry {
  readonly fiber: WeakRef<RuntimeFiber>
  readonly forkedAt: Place | undefined
  readonly capturedAt: FiberCache
}

interface Fibers {
  readonly alive: Map<number, Entry>
}

const fibersOf = (watch: Watch): Fibers => watch.of(fibers, (): Fibers => ({ alive: new Map() }))

/** The async resource type that Effect creates for each fork and each suspension of a fiber. */
const resourceType = "effect/Fiber"
const forkPlaces = new WeakMap<object, Place>()
const owners = new WeakMap<RuntimeFiber, Watch>()

/** The reason why fibers are no longer detected; a test without this detection must fail. */
let blind: string | undefined
const guard = makeGuard((_, message) => void (blind = message))

export const fibers: Probe = {
  install: () => {
    const prototype = prototypeOf(Effect.runFork(Effect.void))
    if (prototype === undefined) {
      throw new Error(
        `noLeaks cannot see the fibers of this version of effect. It supports effect ${supported}; if yours is newer, `
          + "look for a newer @fiberscope/core."
      )
    }
    prepare()
    // If a forked fiber does not start immediately, the place of the fork is kept until it starts.
    const hook = createHook(
      {
        init: (_id, type, _trigger, resource) => {
          if (type !== resourceType || runningFiber() === undefined) return
          const place = owner()?.here("fiber")
          if (place !== undefined) forkPlaces.set(resource, place)
        },
        trackPromises: false
      } as Parameters<typeof createHook>[0]
    )
    hook.enable()
    // Starts are nested: a fiber can start another one in its first run.
    const starting: Array<Place | undefined> = []
    const stop = watch(prototype, {
      confirmed: () => {},
      refused: (why) => void (blind = why),
      starting: () => {
        const watch = owner()
        starting.push(watch === undefined ? undefined : forkPlace(watch))
      },
      started: (fiber, capturedAt) => {
        const forkedAt = starting.pop()
        const watch = owner()
        if (watch === undefined || hasEnded(fiber)) return
        owners.set(fiber, watch)
        fibersOf(watch).alive.set(fiber.id, { fiber: new WeakRef(fiber), forkedAt, capturedAt })
      },
      ended: (fiber) => {
        const watch = owners.get(fiber)
        if (watch !== undefined) fibersOf(watch).alive.delete(fiber.id)
      }
    }, guard)
    return () => {
      hook.disable()
      stop()
    }
  },

  left: (watch) => {
    if (blind !== undefined) throw new Error(`noLeaks can no longer see fibers: ${blind}. Please report this.`)
    const leaks: Array<Leak> = []
    const alive = leftAlive(watch)
    for (const entry of fibersOf(watch).alive.values()) {
      const fiber = entry.fiber.deref()
      // A child ends with its parent: report only the parent.
      if (fiber !== undefined && (hasEnded(fiber) || (fiber._parent !== undefined && alive.has(fiber._parent)))) {
        continue
      }
      leaks.push({
        kind: fiber === undefined ? "abandoned fiber" : "fiber",
        what: fiber === undefined
          ? "collected without ending, its finalizers will never run"
          : `alive${isInterrupting(fiber) ? ", and does not respond to interruption" : ""}`,
        ...siteOf(entry, fiber)
      })
    }
    return leaks
  }
}

/** The live fibers that a test leaked. */
export const leftAlive = (watch: Watch): ReadonlySet<RuntimeFiber> =>
  new Set(
    [...fibersOf(watch).alive.values()].flatMap(({ fiber }) => {
      const alive = fiber.deref()
      return alive === undefined || hasEnded(alive) ? [] : [alive]
    })
  )

const forkPlace = (watch: Watch): Place | undefined => {
  // If a fiber is running, it is the one that forks and starts the new fiber; otherwise the fork was earlier, or not by a fiber.
  const before = runningFiber() === undefined ? forkPlaces.get(executionAsyncResource()) : undefined
  return before ?? watch.here("fiber")
}

const siteOf = ({ capturedAt, forkedAt }: Entry, fiber: RuntimeFiber | undefined): Pick<Leak, "at" | "site"> => {
  const sites = new FiberSites()
  const { chain, fork, runs } = sites.get(sites.intern(capturedAt, fiber === undefined ? capturedAt : framesOf(fiber)))
  const frames = chain.length > 0 ? chain : fork === undefined ? [] : [fork]
  const waits = fiber === undefined ? undefined : suspendedAt(fiber)
  return {
    at: forkedAt ?? waits,
    site: [
      ...(forkedAt === undefined ? [] : [`forked at ${renderPlace(forkedAt)}`]),
      ...frames.map((frame) => `forked in ${renderFrame(frame, process.cwd())}`),
      ...(runs === undefined ? [] : [`runs ${renderFrame(runs, process.cwd())}`]),
      ...(waits === undefined ? [] : [`waits at ${renderPlace(waits)}`])
    ]
  }
}
