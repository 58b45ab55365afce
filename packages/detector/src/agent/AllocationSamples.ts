/**
 * Objects that are still alive, sampled by V8 as they were allocated, each with its stack and a permanent ordinal.
 *
 * A reading asks V8 for the profile, and V8 collects all garbage first. So a reading also gives a heap floor, and it pauses the
 * program. The difference between two readings shows which objects were born and which died. The list of living ordinals is off-heap,
 * so that it does not look like growth of the program.
 */
import { keepsObjectIds, openSession } from "./InspectorSession.ts"
import { originalOf } from "./loaderSourceMaps.ts"
import type { Place, Samples, Stack } from "./Protocol.ts"
import { hashOf, makeStackIds, mix } from "./StackIds.ts"

interface ProfileNode {
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly id: number
  readonly children: ReadonlyArray<ProfileNode>
}

interface Profile {
  readonly head: ProfileNode
  readonly samples: ReadonlyArray<{ readonly size: number; readonly nodeId: number; readonly ordinal: number }>
}

/** The result of a reading. It keeps its stacks in V8's own compact form until they are sent. */
export interface Reading {
  /** Stacks that were not mentioned before. */
  readonly stacks: () => Iterable<Pick<Stack, "id" | "frames">>
  readonly born: Samples["born"]
  readonly died: Samples["died"]
}

/** The sampled objects of one stack that are alive. */
interface LivingStack {
  readonly frames: ReadonlyArray<Place>
  readonly count: number
  readonly bytes: number
}

export interface AllocationSamples {
  /** The difference from the last reading; or the number of objects, when it is above `most` and `restart` can lower it. */
  readonly read: (most: number) => Reading | number
  /** All living sampled objects by stack; independent of {@link read}. */
  readonly living: () => ReadonlyArray<LivingStack>
  /**
   * Forgets all samples and continues at another interval. Answers `false` and does nothing while another reader shares the sampler, or
   * between heap snapshots.
   */
  readonly restart: (bytes: number) => boolean
  readonly stop: () => void
}

const maxFrames = 24
const maxStacks = 20_000

interface Sampler {
  readonly profile: () => Profile
  readonly restart: (bytes: number) => void
  readonly stop: () => void
  users: number
}

// V8 has one sampler in each isolate. A second user shares it, at the first user's interval.
let sampler: Sampler | undefined

const startSampler = (bytes: number): Sampler => {
  const { close, post } = openSession()
  const start = (samplingInterval: number): void => {
    post("HeapProfiler.enable")
    post("HeapProfiler.startSampling", { samplingInterval })
  }
  start(bytes)
  return {
    users: 0,
    restart: (interval) => {
      // `stopSampling` would answer with a profile, and V8 would collect all garbage for it.
      post("HeapProfiler.disable")
      start(interval)
    },
    profile: () => (post("HeapProfiler.getSamplingProfile") as { profile: Profile }).profile,
    stop: () => {
      try {
        post("HeapProfiler.stopSampling")
      } finally {
        close()
      }
    }
  }
}

/** Samples one allocation in about `bytes`. Allocations by files whose URL satisfies `isToolFile` are left out. */
export const sampleAllocations = (bytes: number, isToolFile: (url: string) => boolean): AllocationSamples => {
  const shared = sampler ??= startSampler(bytes)
  shared.users++
  const stackIds = makeStackIds(maxStacks)
  let living = new Float64Array(0)
  return {
    read: (most) => {
      const profile = shared.profile()
      if (profile.samples.length > most && shared.users === 1) return profile.samples.length
      const stacks: Array<{ readonly id: number; readonly links: ReadonlyArray<Link> }> = []
      const stackOf = stacksByNode(profile, isToolFile, (innermost) => {
        const links = linksOf(innermost)
        const { id, isNew } = stackIds.of(links.map(({ hash }) => hash))
        if (isNew) stacks.push({ id, links })
        return id
      })
      const before = living
      const now = Float64Array.from(profile.samples, ({ ordinal }) => ordinal).sort()
      const born: Array<[number, number, number]> = []
      for (const { nodeId, ordinal, size } of profile.samples) {
        if (has(before, ordinal)) continue
        const stack = stackOf.get(nodeId)
        if (stack !== undefined) born.push([ordinal, stack, size])
      }
      const died: Array<number> = []
      for (const ordinal of before) if (!has(now, ordinal)) died.push(ordinal)
      living = now
      return { stacks: () => stacks.values().map(({ id, links }) => ({ id, frames: placesOf(links) })), born, died }
    },
    living: () => {
      const profile = shared.profile()
      const stacks: Array<{ frames: ReadonlyArray<Place>; count: number; bytes: number }> = []
      const stackOf = stacksByNode(
        profile,
        isToolFile,
        (innermost) => stacks.push({ frames: placesOf(linksOf(innermost)), count: 0, bytes: 0 }) - 1
      )
      for (const { nodeId, size } of profile.samples) {
        const stack = stacks[stackOf.get(nodeId) ?? -1]
        if (stack === undefined) continue
        stack.count++
        stack.bytes += size
      }
      return stacks
    },
    restart: (interval) => {
      if (shared.users > 1 || keepsObjectIds()) return false
      shared.restart(interval)
      living = new Float64Array(0)
      return true
    },
    stop: () => {
      if (--shared.users > 0) return
      sampler = undefined
      shared.stop()
    }
  }
}

/** A frame on a stack, linked to the frame that called it. */
interface Link {
  readonly frame: ProfileNode["callFrame"]
  readonly hash: number
  readonly above: Link | undefined
}

/** The innermost links of a stack, at most `maxFrames`. */
const linksOf = (innermost: Link | undefined): ReadonlyArray<Link> => {
  const out: Array<Link> = []
  for (let link = innermost; link !== undefined && out.length < maxFrames; link = link.above) out.push(link)
  return out
}

const placesOf = (links: ReadonlyArray<Link>): ReadonlyArray<Place> =>
  links.map(({ frame: { columnNumber, functionName, lineNumber, url } }) =>
    originalOf({ name: functionName, file: url, line: lineNumber + 1, column: columnNumber + 1 })
  )

/**
 * The stack id of each node of the profile's tree. Allocations by the tool itself have none. Frames of the tool are left out, because
 * its wrapper around the run loop is on the stack of everything that a fiber does.
 */
const stacksByNode = (
  profile: Profile,
  isToolFile: (url: string) => boolean,
  intern: (innermost: Link | undefined) => number
): ReadonlyMap<number, number> => {
  const urls = new Map<string, number>()
  const hashOfFrame = ({ columnNumber, functionName, lineNumber, url }: ProfileNode["callFrame"]): number => {
    let hash = urls.get(url)
    if (hash === undefined) urls.set(url, hash = hashOf(url))
    return mix(hashOf(functionName, hash) + Math.imul(lineNumber, 0x9e3779b1) + columnNumber)
  }
  const used = new Set<number>()
  for (const { nodeId } of profile.samples) used.add(nodeId)
  const out = new Map<number, number>()
  const walk = (node: ProfileNode, above: Link | undefined, aboveIsOwn: boolean): void => {
    const { functionName, url } = node.callFrame
    const own = isToolFile(url)
    // Node's own functions act for their caller, so below the tool they belong to the tool.
    const ours = own || (aboveIsOwn && (url === "" || url.startsWith("node:")))
    const root = functionName === "(root)" && url === ""
    const here = root || own ? above : { frame: node.callFrame, hash: hashOfFrame(node.callFrame), above }
    if (!ours && used.has(node.id)) out.set(node.id, intern(here))
    for (const child of node.children) walk(child, here, ours)
  }
  walk(profile.head, undefined, false)
  return out
}

/** Whether a sorted array has a value, by binary search. */
const has = (sorted: Float64Array, value: number): boolean => {
  let low = 0
  let high = sorted.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const at = sorted[middle]!
    if (at === value) return true
    if (at < value) low = middle + 1
    else high = middle - 1
  }
  return false
}
