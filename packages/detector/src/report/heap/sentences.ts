/** The sentences that all formats of the report of `fiberscope heap` share. */
import { describeSite } from "../../places/Site.ts"
import { number, size } from "../../text/Units.ts"
import type { HeapReport } from "./HeapReport.ts"

type Growing = NonNullable<HeapReport["growth"]>[number]

/** The snapshots and the size of the heap in each. */
export const headline = ({ objects, snapshots }: HeapReport): string =>
  `${snapshots.map(({ bytes }) => size(bytes)).join(" → ")} in ${number(objects)} objects`

/** The change of a growing path: counts, bytes, objects that are gone, and the bound. */
export const courseOf = ({ bound, bytes, counts, how, member, stayed }: Growing): string => {
  const gained = size(bytes.at(-1)! - bytes[0]!)
  if (how === "larger") return `${bytes.map(size).join(" → ")}: it became larger`
  const [first = 0] = counts
  const gone = first - (stayed[0] ?? first)
  const departures = first === 0 || stayed.length === 0
    ? ""
    : `; ${gone === 0 ? "none" : number(gone)} of the first ${number(first)} gone`
  const filling = bound === undefined ? "" : `; filling: ${number(bound.size)} of ${number(bound.most)}`
  return `${counts.map(number).join(" → ")} × ${member}, ${gained} more${departures}${filling}`
}

const words: Readonly<Record<string, string>> = {
  callback: "a callback",
  deferred: "a Deferred",
  fiber: "another fiber",
  fibers: "its fibers",
  latch: "a Latch",
  never: "Effect.never",
  nothing: "nothing that is in memory",
  pool: "an item of a Pool",
  promise: "a promise",
  pubsub: "a PubSub",
  queue: "a Queue",
  semaphore: "permits of a Semaphore",
  timer: "a timer",
  unknown: "a callback",
  yield: "its turn"
}

/** Fibers of one kind, and what they wait for. */
export const fibersText = ({ count, finalizers, site, status, waits }: HeapReport["blocked"][number]): string => {
  const wait = waits === undefined
    ? status
    : `waits for ${words[waits.kind] ?? waits.kind}${waits.site === undefined ? "" : ` at ${describeSite(waits.site)}`}`
  const finalizing = finalizers === 0
    ? ""
    : `, ${number(finalizers)} finalizer${finalizers === 1 ? "" : "s"} in its scope`
  return `${number(count)} × ${describeSite(site)}: ${wait}${finalizing}`
}

/** The entries of a container, and the most that it takes. */
export const entriesOf = ({ bound, count, isExact, size, waiting }: HeapReport["containers"][number]): string =>
  `${isExact ? "" : "≥ "}${number(size)}${bound === undefined ? "" : ` of ${number(bound)}`}`
  + (waiting === undefined || waiting === 0 ? "" : `, ${number(waiting)} wait`)
  + (count === 1 ? "" : ` in the largest of ${number(count)}`)

/** The class below a holder that takes most of its memory. */
export const membersOf = ({ members }: HeapReport["held"][number]): string =>
  members === undefined || members.count < 2 ? "" : `${number(members.count)} × ${members.name}`
