/** Where something was taken that no fiber stands for: a listener, a lease, a resource. */
import type * as Fiber from "effect/Fiber"
import * as FiberCensus from "../../FiberCensus.ts"
import type { FiberSite } from "../../FiberSite.ts"
import type { FiberCache } from "../census/FiberRuntime.ts"

/** The site of a fiber, from the frames that it carried when `taken` was its cache. For reports: interning walks the frames. */
export const siteOf = (taken: Fiber.Fiber.Cache): FiberSite => {
  const { sites } = FiberCensus.get()
  return sites.get(sites.intern(taken as FiberCache, taken as FiberCache))
}
