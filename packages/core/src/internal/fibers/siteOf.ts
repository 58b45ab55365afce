/** The site at which a thing that is not a fiber was made: a listener, a lease, a resource. */
import type * as Fiber from "effect/Fiber"
import * as FiberCensus from "../../FiberCensus.ts"
import type { FiberSite } from "../../FiberSite.ts"
import type { FiberCache } from "../census/FiberRuntime.ts"

/** The site of a fiber, from the frames in its cache at the time of capture. For reports: interning walks the frames. */
export const siteOf = (capturedAt: Fiber.Fiber.Cache): FiberSite => {
  const { sites } = FiberCensus.get()
  return sites.get(sites.intern(capturedAt as FiberCache, capturedAt as FiberCache))
}
