/** The fibers of a snapshot as a tree of groups: fibers of one name and place that wait for the same kind of thing are one group. */
import type { FiberDump, HeapFiber } from "../effect/Fibers.ts"
import type { Wait } from "../effect/Waits.ts"
import type { ScriptPlace } from "../Scripts.ts"

/** A fiber, or several of one kind. `finalizers` are those of the fullest scope of one of them. */
export interface FiberGroup extends Pick<HeapFiber, "name" | "place" | "status"> {
  readonly waitsFor: WaitsFor | undefined
  readonly count: number
  readonly finalizers: number
  readonly children: ReadonlyArray<FiberGroup>
}

/** The thing that a fiber waits for. */
interface WaitsFor {
  readonly kind: Wait["kind"]
  readonly place: ScriptPlace | undefined
}

type Ungrouped = Omit<HeapFiber, "children"> & { readonly children?: ReadonlyArray<HeapFiber> }

/** Groups, the largest of a parent first, and levels of the tree: what is beyond them is left out. */
const most = { groups: 40, levels: 12 } as const

/** Groups the fibers of a dump. */
export const groupFibers = ({ roots }: Pick<FiberDump, "roots">): ReadonlyArray<FiberGroup> => groupsOf(roots, 1)

/** Groups fibers without their children. */
export const groupAlone = (fibers: ReadonlyArray<Ungrouped>): ReadonlyArray<FiberGroup> => groupsOf(fibers, most.levels)

const groupsOf = (fibers: ReadonlyArray<Ungrouped>, level: number): ReadonlyArray<FiberGroup> => {
  const groups = new Map<string, Array<Ungrouped>>()
  for (const fiber of fibers) {
    const key = keyOf(fiber)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [fiber])
    else group.push(fiber)
  }
  return [...groups.values()].sort((a, b) => b.length - a.length).slice(0, most.groups).map((members) => {
    const { name, place, status, waitsFor } = members[0]!
    return {
      name,
      place,
      status,
      waitsFor: waitsFor === undefined ? undefined : { kind: waitsFor.kind, place: waitsFor.place },
      count: members.length,
      finalizers: members.reduce((most, { finalizers }) => Math.max(most, finalizers), 0),
      children: level < most.levels ? groupsOf(members.flatMap(({ children = [] }) => children), level + 1) : []
    }
  })
}

const keyOf = ({ name, place, status, waitsFor }: Ungrouped): string =>
  [name, placeText(place), status, waitsFor?.kind, placeText(waitsFor?.place)].join("\n")

const placeText = (place: ScriptPlace | undefined): string =>
  place === undefined ? "" : `${place.file}:${place.line}:${place.column}`
