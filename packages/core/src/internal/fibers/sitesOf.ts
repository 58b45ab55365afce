/** Where fibers that somebody is waiting for in vain came from, and where they are. */
import type * as Fiber from "effect/Fiber"
import type { FiberInfo } from "../../FiberCensus.ts"
import * as FiberCensus from "../../FiberCensus.ts"
import type { FiberSite } from "../../FiberSite.ts"
import type { FiberCache } from "../census/FiberRuntime.ts"

/** A fiber, and what its context was derived from when it was forked, where that is known. */
export interface Suspect {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly forked: Fiber.Fiber.Cache | undefined
}

/**
 * The sites of fibers. The census knows them best; without it, they are read from the frames that the fibers carry now. Walks every
 * live fiber: for reports, not for metrics.
 */
export const sitesOf = (suspects: ReadonlyArray<Suspect>): ReadonlyArray<FiberSite> => {
  const census = FiberCensus.get()
  // Ids of fibers restart in each copy of effect, and a fiber does not say which copy it is of.
  const known = new Map<number, FiberInfo>(
    suspects.length > 0 && census.copies.length === 1 ? census.dump().map((info) => [info.id, info]) : []
  )
  return suspects.map(({ fiber, forked }) => {
    const now = fiber.cache as FiberCache
    return known.get(fiber.id)?.site ?? census.sites.get(census.sites.intern((forked as FiberCache) ?? now, now))
  })
}
