/** The current listeners by target and event: for counts, and for the warning about too many listeners. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { FiberSite } from "../../FiberSite.ts"
import { renderSite } from "../../FiberSite.ts"
import { siteOf } from "../fibers/siteOf.ts"
import { runDetached } from "../reportFailure.ts"
import { nameOfTarget } from "./eventTargets.ts"

/** One listener, from its addition until its removal. */
export interface Listening {
  readonly target: object
  readonly event: string | symbol
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly capturedAt: Fiber.Fiber.Cache
  dropped: number
}

interface Group {
  readonly listening: Set<Listening>
  /** The number of listeners above which a leak is suspected. */
  warnAbove: number
  /** The number of listeners that triggers the next warning. */
  warnAt: number
}

export class ListenerTable {
  readonly #warnAbove: number
  readonly #targets = new Map<object, Map<string | symbol, Group>>()
  readonly counts = { active: 0, added: 0, dropped: 0, failed: 0 }

  constructor(warnAbove: number) {
    this.#warnAbove = warnAbove
  }

  add(
    fiber: Fiber.Fiber<unknown, unknown>,
    target: object,
    event: string | symbol,
    warnAbove: number = this.#warnAbove
  ): Listening {
    const listening: Listening = { target, event, fiber, capturedAt: fiber.cache, dropped: 0 }
    let events = this.#targets.get(target)
    if (events === undefined) this.#targets.set(target, events = new Map())
    let group = events.get(event)
    if (group === undefined) events.set(event, group = { listening: new Set(), warnAbove, warnAt: 0 })
    group.warnAbove = warnAbove
    group.listening.add(listening)
    this.counts.active++
    this.counts.added++
    const { size } = group.listening
    if (size > warnAbove && size >= group.warnAt) {
      // The next warning comes at twice as many: a leak of one listener per request must not fill the log.
      group.warnAt = size * 2
      warn(
        listening,
        `${size} listeners for "${String(event)}" on one ${
          nameOfTarget(target)
        }. More than ${warnAbove} are reported as a leak: `
          + `give them a shorter scope, or set warnAbove to the intended number. Added by ${
            renderSites(group.listening)
          }`
      )
    }
    return listening
  }

  remove(listening: Listening): void {
    const events = this.#targets.get(listening.target)
    const group = events?.get(listening.event)
    if (events === undefined || group === undefined || !group.listening.delete(listening)) return
    this.counts.active--
    if (group.listening.size > 0) return
    events.delete(listening.event)
    if (events.size === 0) this.#targets.delete(listening.target)
  }

  drop(listening: Listening, buffer: number, overflow: "sliding" | "dropping"): void {
    this.counts.dropped++
    if (listening.dropped++ > 0) return
    warn(
      listening,
      `The buffer of ${buffer} events for "${String(listening.event)}" on ${
        nameOfTarget(listening.target)
      } is full, and the `
        + `${overflow === "sliding" ? "oldest" : "newest"} are dropped. Listened to by ${
          renderSite(siteOf(listening.capturedAt))
        }`
    )
  }

  /** The number of events with more listeners than the warning limit of their target. */
  crowded(): number {
    let crowded = 0
    for (const events of this.#targets.values()) {
      for (const { listening, warnAbove } of events.values()) if (listening.size > warnAbove) crowded++
    }
    return crowded
  }

  list() {
    return [...this.#targets]
      .flatMap(([target, events]) =>
        [...events].map(([event, { listening }]) => ({
          target: nameOfTarget(target),
          event: String(event),
          listeners: listening.size,
          dropped: [...listening].reduce((sum, { dropped }) => sum + dropped, 0),
          addedBy: bySite(listening)
        }))
      )
      .sort((a, b) => b.listeners - a.listeners)
  }
}

const bySite = (
  listening: Iterable<Listening>
): ReadonlyArray<{ readonly site: FiberSite; readonly listeners: number }> => {
  const sites = new Map<FiberSite, number>()
  for (const { capturedAt } of listening) {
    const site = siteOf(capturedAt)
    sites.set(site, (sites.get(site) ?? 0) + 1)
  }
  return [...sites].map(([site, listeners]) => ({ site, listeners })).sort((a, b) => b.listeners - a.listeners)
}

const renderSites = (listening: Iterable<Listening>): string =>
  bySite(listening).slice(0, 5).map(({ listeners, site }) => `${renderSite(site)} × ${listeners}`).join(", ")

/** Logs in the context of the caller that added the listener: with its loggers and annotations. */
const warn = ({ fiber }: Listening, message: string): void => {
  runDetached(fiber.context, Effect.logWarning(message))
}
