/** The sites at which stuck fibers were forked, and where they are now. */
import type * as Fiber from "effect/Fiber"
import type { FiberInfo } from "../../FiberCensus.ts"
import * as FiberCensus from "../../FiberCensus.ts"
import type { FiberSite } from "../../FiberSite.ts"
import type { FiberCache } from "../census/FiberRuntime.ts"

/** A fiber, and the cache of its parent when it was forked, if known. */
export interface Suspect {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly capturedAt: Fiber.Fiber.Cache | undefined
}

/**
 * The sites of fibers. The census has the best information; without it, they are read from the frames that the fibers carry now.
 * Walks every live fiber: for reports, not for metrics.
 */
export const sitesOf = (suspects: ReadonlyArray<Suspect>): ReadonlyArray<FiberSite> => {
  const census = FiberCensus.get()
  // Fiber ids restart in each copy of effect, and a fiber does not say to which copy it belongs.
  const known = new Map<number, FiberInfo>(
    suspects.length > 0 && census.copies.length === 1 ? census.dump().map((info) => [info.id, info]) : []
  )
  return suspects.map(({ capturedAt, fiber }) => {
    const now = fiber.cache as FiberCache
    return known.get(fiber.id)?.site ?? census.sites.get(census.sites.intern((capturedAt as FiberCache) ?? now, now))
  })
}
