/** The fibers that are alive at the end of a process, and the ones among them that keep the others waiting. */
import type * as Fiber from "effect/Fiber"
import type { FiberInfo, RuntimeFiber } from "../../FiberCensus.ts"
import * as FiberCensus from "../../FiberCensus.ts"
import type { FiberSite } from "../../FiberSite.ts"
import { renderSite } from "../../FiberSite.ts"
import { framesOf } from "../census/FiberRuntime.ts"
import type { WaitingPlace } from "./waitingPlaces.ts"
import { waitingPlace } from "./waitingPlaces.ts"

/**
 * A fiber that was alive when the process exited. `site` is where it was forked, `runs` the function that it runs now, and
 * `place` the line, if they are known.
 *
 * @category models
 */
export interface StuckFiber {
  readonly id: number
  readonly main: boolean
  readonly site: FiberSite
  readonly runs: FiberSite
  readonly place: WaitingPlace | undefined
  readonly ageMs: number
  readonly interruptible: boolean
  readonly interrupting: boolean
}

const maxPlaces = 50
/** The maximum number of fibers in a report: a process with a million fibers must end in time too. */
const maxFibers = 20_000
const maxLines = 20

/** Live fibers without a live parent, which no other fiber interrupts when it ends. */
export const liveRoots = (except: ReadonlySet<unknown>): ReadonlyArray<Fiber.Fiber<unknown, unknown>> => {
  const all = FiberCensus.get().fibers()
  const alive = new Set(all.map(([, info]) => key(info.copy, info.id)))
  return all
    .filter(([fiber, { copy, parent }]) =>
      !except.has(fiber) && (parent === undefined || !alive.has(key(copy, parent)))
    )
    .map(([fiber]) => fiber as unknown as Fiber.Fiber<unknown, unknown>)
}

const key = (copy: number, id: number): string => `${copy}/${id}`

/** Live fibers for a report. `locate` asks the inspector for the places where they wait, see `waitingPlace`. */
export const stuckFibers = (
  main: unknown,
  except: { readonly has: (fiber: RuntimeFiber) => boolean },
  locate: boolean
): ReadonlyArray<StuckFiber> => {
  const census = FiberCensus.get()
  // A fiber that waits for its children is not the cause of the wait.
  const all = census.fibers(maxFibers).filter(([fiber]) => !except.has(fiber))
  const parents = new Set(all.map(([, { copy, parent }]) => key(copy, parent ?? 0)))
  const leaves = all.filter(([, { copy, id }]) => !parents.has(key(copy, id))).sort((a, b) =>
    rank(main, a) - rank(main, b)
  )
  const places = locate ? leaves.slice(0, maxPlaces).map(([fiber]) => waitingPlace(fiber)) : []
  return leaves.map(([fiber, info], i) => ({
    id: info.id,
    main: fiber === main,
    site: info.site,
    runs: census.sites.get(census.sites.intern(framesOf(fiber), framesOf(fiber))),
    place: places[i],
    ageMs: info.ageMs,
    interruptible: info.interruptible,
    interrupting: info.interrupting
  }))
}

/** Renders `3 live fibers` or `20000 of 300000 live fibers`. */
export const renderCount = (shown: number): string => {
  const { live } = FiberCensus.get().counts()
  const all = live > maxFibers ? `${shown} of ${live}` : `${shown}`
  return `${all} live ${all === "1" ? "fiber" : "fibers"}`
}

/** The main fiber first, then those that do not respond to interruption, then the oldest. */
const rank = (main: unknown, [fiber, info]: readonly [RuntimeFiber, FiberInfo]): number =>
  (fiber === main ? 0 : info.interruptible ? 2e12 : 1e12) - info.ageMs

/** One line for each group of equal fibers, with their number if it is more than one. */
export const renderStuck = (stuck: ReadonlyArray<StuckFiber>, base: string): ReadonlyArray<string> => {
  const groups = new Map<string, Array<StuckFiber>>()
  for (const fiber of stuck) {
    const kind = `${fiber.main} ${fiber.interruptible} ${fiber.interrupting} ${whose(fiber, base)}`
    const group = groups.get(kind)
    if (group === undefined) groups.set(kind, [fiber])
    else group.push(fiber)
  }
  const lines = [...groups.values()].map((group) => {
    const [first] = group as [StuckFiber]
    const who = first.main ? "main" : group.length === 1 ? `#${first.id}` : `${group.length} fibers`
    const why = first.interruptible
      ? ""
      : first.interrupting
      ? " [does not respond to interruption: it is in a finalizer or uninterruptible]"
      : " [uninterruptible]"
    return `${who}: ${described(group, base)}, ${group.length === 1 ? "" : "oldest "}${renderTime(first.ageMs)}${why}`
  })
  return lines.length <= maxLines
    ? lines
    : [...lines.slice(0, maxLines), `and fibers at ${lines.length - maxLines} more places`]
}

/** Describes where fibers are: the functions that they run, their fork site if it adds information, and the lines at which they wait. */
const described = (group: ReadonlyArray<StuckFiber>, base: string): string => {
  const who = whose(group[0]!, base)
  const places = new Set(group.flatMap(({ place }) => (place === undefined ? [] : [renderPlace(place, base)])))
  const [first] = places
  if (first === undefined) return who === "" ? "somewhere without an Effect.fn or span" : who
  const more = places.size === 1 ? "" : ` and ${places.size - 1} more places`
  return `${who === "" ? "" : `${who}, `}${first}${more}`
}

/** Describes where one fiber is. */
export const where = (fiber: StuckFiber, base: string): string => described([fiber], base)

const whose = ({ runs, site }: StuckFiber, base: string): string => {
  const now = known(runs) ? renderSite(runs, base) : undefined
  const forked = known(site) ? renderSite(site, base) : undefined
  return now === undefined
    ? forked ?? ""
    : forked === undefined || forked.includes(now)
    ? now
    : `${now}, forked in ${forked}`
}

/** Whether anything is known about where a fiber is. */
export const isSomewhere = ({ place, runs, site }: StuckFiber): boolean =>
  known(runs) || known(site) || place !== undefined

const known = (site: FiberSite): boolean => site.fork !== undefined || site.runs !== undefined

const renderPlace = ({ column, file, line, waits }: WaitingPlace, base: string): string => {
  const name = base !== "" && file.startsWith(`${base}/`) ? file.slice(base.length + 1) : file
  return `${waits ? "waits at" : "continues at"} ${name}:${line}:${column}`
}

/** A site in brackets, if it is known. */
export const inBrackets = (site: FiberSite, base: string): string => known(site) ? ` (${renderSite(site, base)})` : ""

/** Renders a time: 340 ms, 1.2 s, 25 s. */
export const renderTime = (ms: number): string =>
  ms < 999.5 ? `${Math.round(ms)} ms` : ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`
