/**
 * Sampled objects by the functions on whose stacks they were allocated, each from its birth to its death.
 *
 * **Details**
 *
 * An object counts for every frame of the program on its stack, not only for the innermost: V8 reports physical frames, so when code
 * gets hot and is inlined, its samples move to the caller. Objects without a frame of the program count for the two innermost
 * frames of the library they were allocated in. And all objects count for the whole program.
 *
 * @since 0.1.0
 */
import type { Place, Samples, Stack } from "./agent/Protocol.ts"
import * as Lives from "./Lives.ts"

/**
 * A frame (or a pair of library frames) with the objects allocated below it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AllocationSite {
  readonly key: string
  /** Innermost first; empty for the whole program. */
  readonly frames: ReadonlyArray<Place>
  readonly scope: "program" | "library" | "whole"
  readonly lives: Lives.Lives
  /** Estimated bytes of its objects alive now. */
  bytes: number
  /** How many frames of the program lie further in, on average over its objects. */
  depth: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AllocationSites {
  readonly sites: ReadonlyMap<string, AllocationSite>
  /** When readings were taken, in milliseconds of the recording; the last 600. */
  readonly readings: ReadonlyArray<number>
  /** The stack that most of a site's living objects born after `since` have. */
  readonly chain: (site: AllocationSite, since: number) => ReadonlyArray<Place>
  /** For an inlined site: the frame of the program that stood on the same library stack most often. */
  readonly callersOf: (site: AllocationSite) => ReadonlyArray<Place>
  readonly stack: (stack: Stack) => void
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

/**
 * Whether a frame is the program's own: not node's, not a library's.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isProgramFrame = ({ file }: Place): boolean =>
  file !== undefined && file !== "" && !file.startsWith("node:") && !file.startsWith("evalmachine")
  && !file.startsWith("native ") && !/[\\/]node_modules[\\/]/.test(file)

const isLibraryFrame = ({ file }: Place): boolean => file !== undefined && /[\\/]node_modules[\\/]/.test(file)

const keyOf = ({ column, file, line, name }: Place): string => `${name} ${file}:${line}:${column}`

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: { readonly windowMs?: number | undefined }): AllocationSites => {
  const sites = new Map<string, AllocationSite>()
  const stacks = new Map<number, KnownStack>()
  const living = new Map<number, Sample>()
  let lastReading = 0
  const readings: Array<number> = []

  const site = (key: string, scope: AllocationSite["scope"], frames: ReadonlyArray<Place>): AllocationSite => {
    let known = sites.get(key)
    if (known === undefined) {
      sites.set(key, known = { key, scope, frames, lives: Lives.make(options), bytes: 0, depth: 0 })
    }
    return known
  }

  const known = (frames: ReadonlyArray<Place>): KnownStack => {
    const program = frames.filter(isProgramFrame)
    const unique = new Map(program.map((frame) => [keyOf(frame), frame]))
    const of = unique.size > 0
      ? [...unique].map(([key, frame]) => site(key, "program", [frame]))
      : librarySites(frames)
    return { frames, program, sites: [...of, site(wholeKey, "whole", [])], total: 0 }
  }

  const librarySites = (frames: ReadonlyArray<Place>): ReadonlyArray<AllocationSite> => {
    const library = frames.filter(isLibraryFrame).slice(0, 2)
    return library.length === 0 ? [] : [site(library.map(keyOf).join(" < "), "library", library)]
  }

  return {
    sites,
    readings,
    chain: (at, since) => {
      const counts = new Map<KnownStack, number>()
      for (const { born, stack } of living.values()) {
        if (born >= since && stack.sites.includes(at)) counts.set(stack, (counts.get(stack) ?? 0) + 1)
      }
      const [best] = [...counts].sort((a, b) => b[1] - a[1])
      return best?.[0].frames ?? at.frames
    },
    callersOf: (at) => {
      // V8 inlined the program's function into the library's: before that, the same library stack had frames of the program on it.
      const key = at.key
      let best: KnownStack | undefined
      for (const stack of stacks.values()) {
        if (stack.program.length === 0 || stack.total <= (best?.total ?? 0)) continue
        const library = stack.frames.filter(isLibraryFrame)
        const below = library.some((_, i) => library.slice(i, i + 2).map(keyOf).join(" < ") === key)
        if (below) best = stack
      }
      return best?.program ?? []
    },
    stack: ({ frames, id }) => void stacks.set(id, known(frames)),
    take: ({ born, died, t }) => {
      readings.push(t)
      if (readings.length > 600) readings.shift()
      for (const [ordinal, stackId, bytes] of born) {
        const stack = stacks.get(stackId)
        if (stack === undefined) continue
        stack.total++
        living.set(ordinal, { stack, born: lastReading, bytes })
        stack.sites.forEach((at, depth) => {
          at.depth += (depth - at.depth) / (at.lives.born() + 1)
          at.lives.bear(lastReading, 1)
          at.bytes += bytes
        })
      }
      for (const ordinal of died) {
        const sample = living.get(ordinal)
        if (sample === undefined) continue
        living.delete(ordinal)
        for (const at of sample.stack.sites) {
          at.lives.die(sample.born, t, 1)
          at.bytes -= sample.bytes
        }
      }
      lastReading = t
    }
  }
}
