/** The sentences that all formats of the report of `fiberscope heap` share. */
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

/** The class below a holder that takes most of its memory. */
export const membersOf = ({ members }: HeapReport["held"][number]): string =>
  members === undefined || members.count < 2 ? "" : `${number(members.count)} × ${members.name}`
