/** The decisions about old things, as a table: the first row that holds decides. */
import { limits } from "./limits.ts"
import type { Signals } from "./signals.ts"
import { net, zOf } from "./Window.ts"
import type { Options } from "./Window.ts"

/** The classification of old things. */
export interface Classification {
  readonly _tag: "growing" | "unclear" | "steady"
  /** The name of the row that decided. */
  readonly row: string
  /** The reason, as part of a sentence. */
  readonly why: string
  /** Standard deviations of what decided, after dispersion. */
  readonly z: number
  /** More arrive than depart, and departures make it unclear: a heap floor that rises with it decides. */
  readonly behind: boolean
  /** It grows as a queue does: waiting times get longer. */
  readonly queue: boolean
}

/** A row of the table. */
export interface Check {
  readonly name: string
  readonly says: Classification["_tag"]
  readonly text: string
  /** The reason for the row and for its limits. */
  readonly reason: string
  /** Standard deviations of what decides here; default: the dispersion-corrected growth. */
  readonly z?: (signals: Signals) => number
  /** A heap floor that rises by as much decides instead. */
  readonly behind?: boolean
  readonly holds: (signals: Signals, options: Options) => boolean
}

/** Old things stay as a rule, surely, in each part of the window. */
const grows = (s: Signals): boolean =>
  s.growthZ >= limits.sure && net(s.late) >= limits.most * s.late.arrivals && s.late.arrivals >= s.fewest
  && net(s.early) >= 0 && net(s.third) > 0 && net(s.last) > 0

/** The same up to the end. */
const growsOn = (s: Signals): boolean =>
  grows(s) && net(s.last) >= limits.most * s.last.arrivals && s.lastZ >= limits.sure * limits.most

/** Waiting times get longer by what stays, under steady traffic, and growth does not slow down. */
const waitsInLine = (s: Signals, { steadyTraffic }: Options): boolean =>
  steadyTraffic === true && s.late.arrivals >= s.fewest && s.waitsLonger && s.slowingInBatchesZ < limits.suspected

export const checks: ReadonlyArray<Check> = [
  {
    name: "filling",
    says: "unclear",
    text: "it grows more and more slowly, as a cache does that fills up",
    reason:
      "A collection that fills with random keys accepts fewer and fewer new ones; a leak under steady load does not slow down.",
    holds: (s) => growsOn(s) && s.slowingZ >= limits.suspected
  },
  {
    name: "stopped",
    says: "unclear",
    text: "growth may just have stopped",
    reason: "A collection that became full in the last quarter still shows growth in that quarter.",
    holds: (s) => growsOn(s) && s.stoppingZ >= limits.suspected
  },
  {
    name: "burst",
    says: "unclear",
    text: "most arrived at the same time",
    reason: "One burst across the middle of the late half looks like growth in both quarters.",
    holds: (s) => growsOn(s) && s.burst > 1 - limits.many
  },
  {
    name: "emptied",
    says: "unclear",
    text: "it is emptied now and then",
    reason: "A collection that was emptied once may be emptied again: a sweep with a long period.",
    holds: (s) => growsOn(s) && (s.fall > limits.most || (s.mayBeEmptied && !s.waitsLonger))
  },
  {
    name: "growing",
    says: "growing",
    text: "old objects keep arriving and hardly any is released",
    reason: "Arrivals of old things exceed departures surely, as a rule, in each part of the window, up to the end.",
    holds: growsOn
  },
  {
    name: "queue",
    says: "growing",
    text: "waiting times are increasing",
    reason:
      "A queue whose consumer is too slow: each item waits longer than the one before, by what stays (Little 1961).",
    z: (s) => s.batchZ,
    holds: (s, options) => waitsInLine(s, options) && s.batchZ >= limits.sure
  },
  {
    name: "queue or chance",
    says: "unclear",
    text: "waiting times are increasing, but too few have ended to rule out chance",
    reason: "The same with fewer items.",
    holds: (s, options) => waitsInLine(s, options) && s.batchZ >= limits.suspected
  },
  {
    name: "backlog",
    says: "growing",
    text: "more arrive than depart, though there is no more work than before",
    reason: "A backlog whose oldest are released all the time grows in both quarters, and not in one burst.",
    holds: (s, { steadyTraffic }) =>
      steadyTraffic === true && s.growthZ >= limits.certain && s.late.arrivals >= s.fewest
      && net(s.late) >= limits.many * s.late.arrivals && s.slowingZ < limits.suspected && s.fall <= limits.most
      && zOf(s.third) >= limits.suspected && s.lastZ >= limits.suspected && s.burst <= 1 - limits.many
  },
  {
    name: "large batches",
    says: "unclear",
    text: "they are released in large batches, and the next may release them all",
    reason: "A few releases say little about how many there will be.",
    behind: true,
    holds: (s) =>
      s.batchZ >= limits.certain && s.late.arrivals >= s.fewest && net(s.late) >= limits.many * s.late.arrivals
      && net(s.early) >= 0 && net(s.third) > 0 && net(s.last) >= limits.many * s.last.arrivals
      && s.last.arrivals >= s.suspicious
  },
  {
    name: "few",
    says: "unclear",
    text: "they are too few so far to distinguish growth from chance",
    reason: "The same shape with fewer arrivals.",
    holds: (s) =>
      s.rawZ >= Math.min(limits.suspected, Math.sqrt(s.suspicious)) && s.late.arrivals >= s.suspicious
      && net(s.late) >= limits.most * s.late.arrivals && net(s.last) > 0 && s.fall <= limits.most
  },
  {
    name: "one batch",
    says: "unclear",
    text: "almost all departures happened at one moment",
    reason: "Parts of a long queue are released at once: in between it is unknown how many went.",
    holds: (s) =>
      s.batch >= 1 - limits.many && s.late.departures >= s.fewest && net(s.early) > 0 && s.fall <= limits.most
      && s.rawZ >= limits.suspected && net(s.late) >= limits.few * s.late.arrivals
  }
]

const balanced = { name: "balanced", says: "steady", text: "arrivals and departures are balanced" } as const

/** Decides by the first row that holds. */
export const classify = (signals: Signals, options: Options, rows: ReadonlyArray<Check> = checks): Classification => {
  const row = rows.find(({ holds }) => holds(signals, options))
  const { says, text, name } = row ?? balanced
  return {
    _tag: says,
    row: name,
    why: text,
    z: (row?.z ?? (({ growthZ }) => growthZ))(signals),
    behind: row?.behind === true && options.steadyTraffic === true,
    queue: says !== "steady" && signals.waitsLonger && signals.batchZ >= limits.suspected
  }
}
