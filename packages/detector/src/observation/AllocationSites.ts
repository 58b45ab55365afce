/**
 * Sampled objects by the functions on their allocation stacks, each from its birth to its death.
 *
 * **Details**
 *
 * An object counts for every frame of the program on its stack, not only for the innermost: V8 reports physical frames, so the samples
 * of hot code that is inlined move to its caller. Objects without a frame of the program count for the two innermost frames of the
 * library that allocated them. All objects count for the whole program.
 *
 * When the sampling interval changes, V8 forgets all samples, and a new epoch begins. All values are those of the last epoch, or of the
 * one before while the last is too short.
 */
import type { Place, Samples, Sampling, Stack } from "../agent/Protocol.ts"
import { isLibraryFrame, isProgramFrame } from "../places/frames.ts"
import * as Lifetimes from "../statistics/Lifetimes.ts"
import { limits } from "../statistics/limits.ts"
import * as TimeSeries from "../statistics/TimeSeries.ts"

/** A frame (or a pair of library frames) with the objects allocated below it. */
export interface AllocationSite {
  readonly key: string
  /** Innermost first; empty for the whole program, and for the finalizers of all of its scopes. */
  readonly frames: ReadonlyArray<Place>
  readonly scope: "program" | "library" | "finalizers" | "whole"
  readonly lives: Lifetimes.Lifetimes
  /** Estimated bytes of its objects alive now. */
  bytes: number
  /** The number of program frames further in on the stack, on average over its objects. */
  depth: number
  /** Bytes of its large objects alive at each reading. Sampling misses hardly any of them. `undefined` until it has had one. */
  large: TimeSeries.TimeSeries | undefined
}

/**
 * The size of a large object in bytes: half of what a site may grow by unseen, as the table of a collection with some thousands of
 * entries, a long string or array. It is larger if the sampling interval is so long that such an object may not be sampled.
 */
const largeObject = (): number => limits.most * limits.siteBytes

export interface AllocationSites {
  readonly sites: ReadonlyMap<string, AllocationSite>
  /** All sampled objects, whatever their site. */
  readonly whole: Lifetimes.Lifetimes
  /** The times of the last 600 readings, in milliseconds of the recording. */
  readonly readings: ReadonlyArray<number>
  /** The time of the first of these samples, in milliseconds of the recording. */
  readonly since: number
  /** Whether there is a later epoch, which is too short to be used yet. */
  readonly outdated: boolean
  /** Bytes between two of these samples. */
  readonly interval: number
  /** The most frequent stack of a site's living objects born after `since`. */
  readonly chain: (site: AllocationSite, since: number) => ReadonlyArray<Place>
  /** The number of living objects that count for both sites. */
  readonly together: (a: AllocationSite, b: AllocationSite) => number
  /** For an inlined site: the program frames of the most frequent stack with the same library frames. */
  readonly callersOf: (site: AllocationSite) => ReadonlyArray<Place>
  readonly stack: (stack: Stack) => void
  readonly sampling: (sampling: Pick<Sampling, "t" | "bytes">) => void
  readonly take: (samples: Samples) => void
}

interface KnownStack {
  readonly frames: ReadonlyArray<Place>
  readonly program: ReadonlyArray<Place>
  readonly sites: ReadonlyArray<AllocationSite>
  total: number
}

interface Sample {
  readonly stack: KnownStack
  readonly born: number
  readonly bytes: number
}

const wholeKey = "*"

/** The resolution of birth and death times in milliseconds: an eighth of the least time between two readings. */
const bucketMs = 250

/** The key of the site for the finalizers that scopes keep. */
const finalizersKey = "finalizers"

const isFinalizerFrame = (frame: Place): boolean => /addFinalizer/i.test(frame.name) && isLibraryFrame(frame)

/** Whether a frame is the top-level code of a module. A program starts its first fibers under it, so it identifies no later work. */
const isModule = ({ column, line }: Place): boolean => line === 1 && column === 1

const keyOf = ({ column, file, line, name }: Place): string => `${name} ${file}:${line}:${column}`

export const make = (options?: { readonly windowMs?: number | undefined }): AllocationSites => {
  const frames = new Map<number, ReadonlyArray<Place>>()
  let now = 0
  let epoch = makeEpoch(0, 0, options)
  let before: Epoch | undefined
  const lengthOf = ({ readings, since }: Epoch): number =>
    Math.min(options?.windowMs ?? Infinity, (readings.at(-1) ?? since) - since)
  // A shorter epoch cannot show a leak, so until then the samples of the epoch before are better.
  const current = (): Epoch =>
    before === undefined || lengthOf(epoch) >= Math.min(limits.leakAfter, lengthOf(before)) ? epoch : before
  return {
    get sites() {
      return current().sites
    },
    get whole() {
      return current().whole
    },
    get readings() {
      return current().readings
    },
    get since() {
      return current().since
    },
    get outdated() {
      return current() !== epoch
    },
    get interval() {
      return current().interval
    },
    chain: (at, since) => current().chain(at, since),
    together: (a, b) => current().together(a, b),
    callersOf: (at) => current().callersOf(at),
    stack: (stack) => void frames.set(stack.id, stack.frames),
    sampling: ({ bytes, t }) => {
      before = current()
      now = t
      epoch = makeEpoch(t, bytes, options)
    },
    take: (samples) => {
      epoch.take(samples, now, frames)
      now = samples.t
    }
  }
}

interface Epoch
  extends
    Pick<AllocationSites, "sites" | "whole" | "readings" | "since" | "interval" | "chain" | "together" | "callersOf">
{
  readonly take: (samples: Samples, lastReading: number, frames: ReadonlyMap<number, ReadonlyArray<Place>>) => void
}

const makeEpoch = (
  since: number,
  interval: number,
  options: { readonly windowMs?: number | undefined } | undefined
): Epoch => {
  const sites = new Map<string, AllocationSite>()
  const large = new Map<AllocationSite, number>()
  // Sampling misses one in seven objects that are twice as large as the interval: e to the power of -2.
  const leastLarge = Math.max(largeObject(), 2 * interval)
  const stacks = new Map<number, KnownStack>()
  const living = new Map<number, Sample>()
  const readings: Array<number> = []
  let latest = 0

  const site = (key: string, scope: AllocationSite["scope"], frames: ReadonlyArray<Place>): AllocationSite => {
    let known = sites.get(key)
    if (known === undefined) {
      const lives = Lifetimes.make({ ...options, bucketMs })
      sites.set(key, known = { key, scope, frames, lives, bytes: 0, depth: 0, large: undefined })
    }
    return known
  }

  const known = (frames: ReadonlyArray<Place>): KnownStack => {
    const program = frames.filter(isProgramFrame)
    const unique = new Map(program.map((frame) => [keyOf(frame), frame]))
    const of = unique.size > 0
      ? [...unique].map(([key, frame]) => site(key, "program", [frame]))
      : librarySites(frames)
    const kept = frames.some(isFinalizerFrame) ? [site(finalizersKey, "finalizers", [])] : []
    return { frames, program, sites: [...of, ...kept, site(wholeKey, "whole", [])], total: 0 }
  }

  const librarySites = (frames: ReadonlyArray<Place>): ReadonlyArray<AllocationSite> => {
    const library = frames.filter(isLibraryFrame).slice(0, 2)
    return library.length === 0 ? [] : [site(library.map(keyOf).join(" < "), "library", library)]
  }

  const stackOf = (id: number, frames: ReadonlyMap<number, ReadonlyArray<Place>>): KnownStack | undefined => {
    const seen = stacks.get(id)
    const of = frames.get(id)
    if (seen !== undefined || of === undefined) return seen
    const stack = known(of)
    stacks.set(id, stack)
    return stack
  }

  return {
    sites,
    get whole() {
      return site(wholeKey, "whole", []).lives
    },
    readings,
    since,
    interval,
    chain: (at, from) => {
      const counts = new Map<KnownStack, number>()
      for (const { born, stack } of living.values()) {
        if (born >= from && stack.sites.includes(at)) counts.set(stack, (counts.get(stack) ?? 0) + 1)
      }
      const [best] = [...counts].sort((a, b) => b[1] - a[1])
      return best?.[0].frames ?? at.frames
    },
    together: (a, b) => {
      let count = 0
      for (const { stack } of living.values()) if (stack.sites.includes(a) && stack.sites.includes(b)) count++
      return count
    },
    callersOf: (at) => {
      // V8 has inlined the program's function into the library's. Before that, the same library stack had frames of the program.
      const key = at.key
      let best: KnownStack | undefined
      for (const stack of stacks.values()) {
        if (stack.program.every(isModule) || stack.total <= (best?.total ?? 0)) continue
        const library = stack.frames.filter(isLibraryFrame)
        const below = library.some((_, i) => library.slice(i, i + 2).map(keyOf).join(" < ") === key)
        if (below) best = stack
      }
      return best?.program ?? []
    },
    take: ({ born, died, t }, lastReading, frames) => {
      readings.push(t)
      if (readings.length > 600) readings.shift()
      // Ordinals count allocations, so they give the birth time of an object between two readings.
      const first = latest
      for (const [ordinal] of born) latest = Math.max(latest, ordinal)
      const when = (ordinal: number) =>
        lastReading + (t - lastReading) * Math.max(0, ordinal - first - 1) / Math.max(1, latest - first)
      for (const [ordinal, stackId, bytes] of born) {
        const stack = stackOf(stackId, frames)
        if (stack === undefined) continue
        stack.total++
        const at = when(ordinal)
        living.set(ordinal, { stack, born: at, bytes })
        for (const [depth, site] of stack.sites.entries()) {
          site.depth += (depth - site.depth) / (site.lives.born() + 1)
          site.lives.recordBirth(at, 1)
          site.bytes += bytes
          if (bytes >= leastLarge) large.set(site, (large.get(site) ?? 0) + bytes)
        }
      }
      for (const ordinal of died) {
        const sample = living.get(ordinal)
        if (sample === undefined) continue
        living.delete(ordinal)
        for (const at of sample.stack.sites) {
          at.lives.recordDeath(sample.born, t, 1)
          at.bytes -= sample.bytes
          if (sample.bytes >= leastLarge) large.set(at, large.get(at)! - sample.bytes)
        }
      }
      for (const [site, bytes] of large) {
        if (site.large === undefined) {
          site.large = TimeSeries.make(options)
          if (lastReading > since || readings.length > 1) site.large.add(lastReading, 0)
        }
        site.large.add(t, bytes)
      }
    }
  }
}
