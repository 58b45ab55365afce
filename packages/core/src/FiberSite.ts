/**
 * Fork sites: where fibers come from, interned from the frames that `Effect.fn` and spans add to a fiber's context.
 *
 * A site is interned once and lives as long as the process, so the number of sites and the length of their texts are limited. The
 * only import is a type: this module is loaded into observed programs.
 */
import type { FiberCache, StackFrame } from "./internal/census/FiberRuntime.ts"
import { isLibraryFile } from "./internal/census/programFile.ts"

export { isLibraryFile, isProgramFile } from "./internal/census/programFile.ts"

/**
 * A place in the source of the program: `line` and `column` are 1-based and absent where only a name is known.
 *
 * @category models
 */
export interface Frame {
  readonly name: string
  readonly file: string | undefined
  readonly line: number | undefined
  readonly column: number | undefined
}

/**
 * The place at which a group of fibers was started.
 *
 * **Details**
 *
 * `fork` is the innermost frame of the program's own code around the fork, `runs` the frame of the fiber itself once it has lived
 * for a while. Either may be absent: a program without `Effect.fn` and spans has no frames at all. `chain` lists the frames
 * around the fork, innermost first, at most eight.
 *
 * @category models
 */
export interface FiberSite {
  readonly id: number
  readonly fork: Frame | undefined
  readonly runs: Frame | undefined
  readonly chain: ReadonlyArray<Frame>
  /** The site without the line of its fork, if that line was determined. */
  readonly of?: number | undefined
}

/**
 * The number of distinct sites that are distinguished; any further one is counted under {@link otherSite}.
 *
 * @category constants
 */
export const maxSites = 4096

/**
 * The id of the site of fibers without any frame.
 *
 * @category constants
 */
export const unknownSite = 0

/**
 * The id of the site of all fibers beyond {@link maxSites}.
 *
 * @category constants
 */
export const otherSite = 1

const maxChain = 8
const maxName = 200

/**
 * The number of names that are kept apart although they differ only in their digits: some workers are numbered, but so are all
 * requests.
 */
const maxOfPattern = 16

/** The common form of names with ids in them: `order 17` becomes `order #`. */
const patternOf = (name: string): string => name.replace(/(?<!\w)(?=[a-f-]*\d)[\da-f-]{6,}(?!\w)|\d+/gi, "#")

/** Parses `at name (file:///a/b.ts:1:2)`, `at file:///a/b.ts:1:2` or `at async /a/b.js:1:2` into its place. */
const parsePlace = (line: string | undefined): Omit<Frame, "name"> | undefined => {
  const match = line === undefined
    ? null
    : /(?:\(|\s|^)((?:file:\/\/|\/|[A-Za-z]:[\\/]|[\w-]+:)[^()]*?):(\d+):(\d+)\)?$/.exec(line)
  if (match === null) return undefined
  return { file: filePath(match[1]!), line: Number(match[2]), column: Number(match[3]) }
}

const filePath = (url: string): string => {
  if (!url.startsWith("file://")) return url
  try {
    return decodeURIComponent(url.slice("file://".length))
  } catch {
    return url.slice("file://".length)
  }
}

/** The text of a frame. The program may have changed it, for example with its own `Error.prepareStackTrace`. */
const placeOf = (frame: StackFrame): Omit<Frame, "name"> | undefined => {
  try {
    const line = frame.stack()
    return typeof line === "string" ? parsePlace(line) : undefined
  } catch {
    return undefined
  }
}

const definition = " (definition)"

interface KnownFrame {
  readonly id: number
  readonly frame: Frame
  readonly library: boolean
}

/**
 * Interns frames and sites. Two calls with frames of the same `Effect.fn`, or of spans of the same name, give the same site.
 * Spans whose names differ only in numbers share a site too, once there are many of them.
 *
 * @category models
 */
export class FiberSites {
  readonly #sites: Array<FiberSite> = [
    { id: unknownSite, fork: undefined, runs: undefined, chain: [] },
    {
      id: otherSite,
      fork: { name: "(other)", file: undefined, line: undefined, column: undefined },
      runs: undefined,
      chain: []
    }
  ]
  // An `Effect.fn` has one closure for the place of its definition, shared by the frames of all its calls. It serves as identity.
  readonly #byDefinition = new WeakMap<object, KnownFrame>()
  readonly #byName = new Map<string, KnownFrame>()
  readonly #byPattern = new Map<string, { names: number; frame: KnownFrame | undefined }>()
  readonly #byKey = new Map<number, number>()
  readonly #byLine = new Map<string, number>()
  #frames = 0

  /** The number of sites. */
  get size(): number {
    return this.#sites.length
  }

  /** The site of an id returned by {@link intern}. */
  get(id: number): FiberSite {
    return this.#sites[id] ?? this.#sites[unknownSite]!
  }

  /** All sites from an id on. */
  from(id: number): ReadonlyArray<FiberSite> {
    return this.#sites.slice(id)
  }

  /** The id of the site with these frames: around the fork, and where the fiber is now. */
  intern(forked: FiberCache, now: FiberCache): number {
    const fork = this.#programFrame(forked)
    const runs = now === forked || now === forked.origin ? undefined : this.#programFrame(now)
    if (fork === undefined && runs === undefined) return unknownSite
    // Both ids are below maxSites + 2, so the key is a small integer.
    const key = (fork?.id ?? 0) * 8192 + (runs === undefined || runs === fork ? 0 : runs.id)
    const of = forked.origin === undefined ? undefined : this.intern(forked.origin, now)
    const line = of === undefined ? undefined : `${of} ${key}`
    const known = line === undefined ? this.#byKey.get(key) : this.#byLine.get(line)
    if (known !== undefined) return known
    if (this.#sites.length >= maxSites) return otherSite
    const id = this.#sites.length
    this.#sites.push({
      id,
      fork: fork?.frame,
      runs: runs === fork ? undefined : runs?.frame,
      chain: fork === undefined ? [] : this.#chain(forked),
      of
    })
    if (line === undefined) this.#byKey.set(key, id)
    else this.#byLine.set(line, id)
    return id
  }

  /** The innermost frame outside of libraries, or the innermost of all if there is none. */
  #programFrame(cache: FiberCache): KnownFrame | undefined {
    let first: KnownFrame | undefined
    let depth = 0
    for (let frame = cache.stackFrame; frame !== undefined && depth < maxChain; depth++) {
      const known = this.#known(frame)
      if (!known.library) return known
      first ??= known
      frame = afterDefinition(frame)
    }
    if (first !== undefined) return first
    const name = cache.span?._tag === "Span" ? cache.span.name : undefined
    return name === undefined ? undefined : this.#named(name, undefined)
  }

  #known(frame: StackFrame): KnownFrame {
    const parent = frame.parent
    // Only entries for places of definitions have their closure in this map: checking it first avoids building the name.
    const known = parent === undefined ? undefined : this.#byDefinition.get(parent.stack)
    if (known !== undefined) return known
    if (parent !== undefined && parent.name === frame.name + definition) {
      const made = this.#make(frame.name, placeOf(parent) ?? placeOf(frame))
      // Without stack traces all functions share one closure that returns nothing: then the name is the identity.
      if (made.frame.file === undefined) return this.#named(frame.name, undefined)
      this.#byDefinition.set(parent.stack, made)
      return made
    }
    return this.#named(frame.name, frame)
  }

  #named(name: string, frame: StackFrame | undefined): KnownFrame {
    const known = this.#byName.get(name) ?? this.#ofMany(name, frame)
    if (known !== undefined) return known
    const made = this.#make(name, frame && placeOf(frame))
    // Names of spans may contain data of each request: the map stops growing at the same limit as the sites.
    if (this.#byName.size < maxSites) this.#byName.set(name, made)
    return made
  }

  /** One frame for the names that differ only by the id of a request. The check does not need the stack. */
  #ofMany(name: string, frame: StackFrame | undefined): KnownFrame | undefined {
    const pattern = patternOf(String(name))
    if (pattern === name) return undefined
    let family = this.#byPattern.get(pattern)
    if (family === undefined) {
      if (this.#byPattern.size >= maxSites) return undefined
      this.#byPattern.set(pattern, family = { names: 0, frame: undefined })
    }
    if (++family.names <= maxOfPattern) return undefined
    return family.frame ??= this.#make(pattern, frame && placeOf(frame))
  }

  #make(name: string, place: Omit<Frame, "name"> | undefined): KnownFrame {
    const frame: Frame = {
      name: String(name).slice(0, maxName),
      file: place?.file,
      line: place?.line,
      column: place?.column
    }
    return {
      id: this.#frames < maxSites ? ++this.#frames : maxSites + 1,
      frame,
      library: isLibraryFile(frame.file ?? "")
    }
  }

  #chain(cache: FiberCache): ReadonlyArray<Frame> {
    const out: Array<Frame> = []
    for (let frame = cache.stackFrame; frame !== undefined && out.length < maxChain; frame = afterDefinition(frame)) {
      out.push(this.#known(frame).frame)
    }
    return out
  }
}

/** The frame around a frame, without the entry for the place of its definition. */
const afterDefinition = (frame: StackFrame): StackFrame | undefined =>
  frame.parent?.name === frame.name + definition ? frame.parent.parent : frame.parent

/**
 * Renders a frame as `name (file:line)`, with the path relative to `base` where it lies below it.
 *
 * @category rendering
 */
export const renderFrame = (frame: Frame, base = ""): string => {
  if (frame.file === undefined) return frame.name
  const file = base !== "" && frame.file.startsWith(base + "/") ? frame.file.slice(base.length + 1) : frame.file
  return `${frame.name} (${file}:${frame.line})`
}

/**
 * Renders a site in one line: `handler (src/server.ts:42)`, followed by the function that the fiber runs if that is another one.
 *
 * @category rendering
 */
export const renderSite = (site: FiberSite, base = ""): string => {
  if (site.fork === undefined && site.runs === undefined) return "(no Effect.fn or span)"
  if (site.fork === undefined) return renderFrame(site.runs!, base)
  const fork = renderFrame(site.fork, base)
  return site.runs === undefined ? fork : `${fork} → ${renderFrame(site.runs, base)}`
}
