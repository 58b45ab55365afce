/** A path in the heap as part of a finding. */
import type { HeapGrowth, HeapPath } from "../../agent/Protocol.ts"
import type { Finding } from "../../Finding.ts"
import { describePath } from "../../places/HeapPathText.ts"
import { gained, secondsOf } from "./HeapPaths.ts"

/** The container that keeps the objects of a finding. */
export type Kept = NonNullable<Finding["kept"]>

/** Describes what keeps the objects at the end of a path. */
export const keptOf = (path: HeapPath, growth: HeapGrowth): Kept => {
  const { keeper, member, names, scope } = describePath(path)
  const [first = 0] = path.counts
  const [stayed] = path.stayed
  return {
    keeper,
    member,
    path: names,
    ...(scope === undefined ? {} : { scope }),
    how: path.how,
    counts: path.counts,
    bytes: gained(path.bytes),
    seconds: secondsOf(growth),
    ...(stayed === undefined ? {} : { gone: first - stayed }),
    ...(path.bound === undefined ? {} : { bound: path.bound })
  }
}
