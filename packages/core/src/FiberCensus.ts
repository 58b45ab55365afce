/**
 * Counts every fiber of every Effect runtime in the process at almost no cost, and keeps none of them alive.
 *
 * The census needs only the class of Effect's fibers, so it imports nothing and can be loaded into an unmodified program.
 * {@link "LiveFibers"} is the Effect service on top of it.
 *
 * **Details**
 *
 * A process has one census, even if several copies of this module are loaded; it is stored under a global symbol. It counts a
 * fiber from its first start on: a fiber that was forked and has not run yet is invisible, and so is a fiber that started before
 * {@link adopt} was called for its copy of Effect. Fiber ids restart in each copy of Effect; `copy` distinguishes them.
 *
 * **Gotchas**
 *
 * A fiber that is garbage-collected without having ended is counted as *abandoned* after the next sweep that follows a major
 * garbage collection, not at once.
 */
import type { FiberSite } from "./FiberSite.ts"
import { FiberSites } from "./FiberSite.ts"
import type { FiberCache, FiberPrototype, RuntimeFiber, StackFrame } from "./internal/census/FiberRuntime.ts"
import {
  framesOf,
  hasEnded,
  isFiberPrototype,
  isInterrupting,
  isRunning,
  parentOf,
  watch
} from "./internal/census/FiberRuntime.ts"
import { FiberTable } from "./internal/census/FiberTable.ts"
import type { GuardedTimer } from "./internal/census/Guard.ts"
import { makeGuard } from "./internal/census/Guard.ts"

/**
 * Numbers of started, ended, abandoned and live fibers: `started - ended - abandoned = live`.
 *
 * @category models
 */
export interface FiberCounts {
  /** Fibers that ran at least once. */
  readonly started: number
  /** Fibers that ended: with a value, a failure, or by interruption. */
  readonly ended: number
  /** Fibers that were garbage-collected without having ended: their finalizers never run. */
  readonly abandoned: number
  /** Fibers that were started and have neither ended nor been collected. */
  readonly live: number
  /** Live fibers that survived a sweep of the registry (about a second). */
  readonly tenured: number
}

/**
 * One live fiber.
 *
 * **Details**
 *
 * `ageMs` counts from the first start. `parent` is the id of the fiber that interrupts this one when it ends; detached fibers and
 * roots have none. `status` is `running` only for fibers on the JavaScript stack at the moment of the dump.
 *
 * @category models
 */
export interface FiberInfo {
  readonly id: number
  readonly copy: number
  readonly parent: number | undefined
  readonly site: FiberSite
  readonly span: string | undefined
  readonly ageMs: number
  readonly status: "running" | "suspended"
  readonly interruptible: boolean
  readonly interrupting: boolean
}

/**
 * A state change of a fiber: it outlived a sweep, a tenured fiber ended, or a fiber was collected without ending.
 *
 * @category models
 */
export interface FiberEvent {
  readonly _tag: "Tenured" | "Ended" | "Abandoned"
  readonly id: number
  readonly copy: number
  readonly site: FiberSite
  readonly ageMs: number
}

/**
 * A copy of Effect whose fibers are counted. `where` says how it was found: a module's URL, or the name given by the caller.
 *
 * @category models
 */
export interface EffectCopy {
  readonly copy: number
  readonly where: string
}

/**
 * Callbacks about a copy of Effect after {@link FiberCensus} `adopt`. Each function is called at most once for each call of
 * `adopt`.
 *
 * @category models
 */
export interface Adoption {
  /** A fiber has run, and its shape can be read. `missing` lists optional fields that this version of Effect lacks. */
  readonly confirmed?: ((missing: ReadonlyArray<string>) => void) | undefined
  /** A fiber has run, and its shape cannot be read: no fiber of this copy is counted. */
  readonly refused?: ((why: string) => void) | undefined
}

/**
 * The changes in a site's tenured fibers since the last {@link FiberCensus.flow}, by the second of their birth.
 *
 * @category models
 */
export interface FiberFlow {
  readonly site: number
  /** The second in which the fibers were started, counted from the start of the census. */
  readonly born: number
  readonly tenured: number
  readonly ended: number
  readonly abandoned: number
}

/**
 * The census of a process, returned by {@link get}.
 *
 * @category models
 */
export interface FiberCensus {
  /** The copies of Effect that are watched. */
  readonly copies: ReadonlyArray<EffectCopy>
  readonly sites: FiberSites
  /** Milliseconds since the census began, on the monotonic clock. */
  readonly now: () => number
  /**
   * Watches the fibers of the copy of Effect that has this fiber prototype. Calls are counted: the returned function reverts one
   * call, and the last one stops the watching. Returns `undefined` when this version does not understand the prototype. The first
   * fiber that runs shows whether its fields can be read, and `adoption` is notified.
   */
  readonly adopt: (prototype: unknown, where: string, adoption?: Adoption) => (() => void) | undefined
  /** Counts a fiber that was found in the middle of its first run, if its copy has just been adopted. */
  readonly meet: (fiber: unknown) => void
  readonly counts: () => FiberCounts
  /** Live fibers by the id of their site, including those that have not outlived a sweep. */
  readonly liveBySite: () => ReadonlyMap<number, number>
  /** Tenured fibers of a site; constant time. */
  readonly tenuredAt: (site: number) => number
  /** Abandoned fibers of a site; constant time. */
  readonly abandonedAt: (site: number) => number
  readonly dump: () => ReadonlyArray<FiberInfo>
  /** The same with the fibers themselves, at most `most` of them. The caller must not keep them. */
  readonly fibers: (most?: number) => ReadonlyArray<readonly [RuntimeFiber, FiberInfo]>
  /** At most `most` live fibers of a site, spread over all of them. The caller must not keep them. */
  readonly fibersAt: (site: number, most: number) => ReadonlyArray<RuntimeFiber>
  /** Tenures fibers older than a second and looks for abandoned ones; runs automatically once a second. */
  readonly sweep: () => void
  /** The changes in tenured fibers since the last call; the first call starts the recording. Only one reader at a time. */
  readonly flow: () => ReadonlyArray<FiberFlow>
  /**
   * Calls a function with the reason when the census has failed and stopped counting. The program is not affected. Returns a
   * function that removes the callback.
   */
  readonly onFailure: (listener: (message: string) => void) => () => void
  /** Calls a function on each event; it must not throw. Returns a function that removes the callback. */
  readonly onEvent: (listener: (event: FiberEvent) => void) => () => void
  /**
   * Sets the function that finds the line at which an effect was forked. Its frame becomes the fork site of fibers that start
   * with that effect; the frames of `Effect.fn` and spans are around it. It must not throw.
   */
  readonly forkLines: (frameOf: ((effect: unknown) => StackFrame | undefined) | undefined) => void
  /** Memory of the census' own records, in bytes. */
  readonly bytes: () => number
}

export { observable, supported } from "./internal/census/effectVersions.ts"
export type { RuntimeFiber, StackFrame } from "./internal/census/FiberRuntime.ts"
export {
  /**
   * The global slot in which Effect's run loop keeps the running fiber.
   *
   * @category interop
   */
  currentFiberSlot,
  /**
   * Whether a value is a prototype of fibers that {@link FiberCensus} `adopt` understands.
   *
   * @category interop
   */
  isFiberPrototype,
  /**
   * The prototype behind a fiber, if it is one that {@link FiberCensus} `adopt` understands.
   *
   * @category interop
   */
  prototypeOf
} from "./internal/census/FiberRuntime.ts"
export { makeGuard, messageOf } from "./internal/census/Guard.ts"
export type { AnyFunction, Guard, GuardedTimer } from "./internal/census/Guard.ts"
export { heldBy } from "./internal/census/heldBy.ts"

const sweepEveryMs = 1000
const scanBudget = 4096 // slots: a few hundred microseconds
const scanEveryMs = 50
const dateForMs = 20

// Taken at load: the program may replace it, and tests do.
const performanceNow = performance.now.bind(performance)

interface Copy extends EffectCopy {
  readonly prototype: FiberPrototype
  readonly table: FiberTable
  readonly stop: () => void
  /** Whether the first fiber could be read; `undefined` before one has run. */
  shape: { readonly missing: ReadonlyArray<string> } | { readonly refused: string } | undefined
  /** Callbacks that wait for {@link shape}. */
  readonly adoptions: Array<Adoption>
  starting: number
  users: number
}

class Census implements FiberCensus {
  readonly sites: FiberSites = new FiberSites()
  readonly #origin = performanceNow()
  readonly #copies: Array<Copy> = []
  readonly #listeners = new Set<(event: FiberEvent) => void>()
  readonly #failures = new Set<(message: string) => void>()
  readonly #guard = makeGuard((_, message) => this.#failed(message))
  readonly #tenuredAt: Array<number> = []
  readonly #abandonedAt: Array<number> = []
  #started = 0
  #frameOf: ((effect: unknown) => StackFrame | undefined) | undefined
  #abandoned = 0
  #copyIds = 0
  #scanning = false
  #flow: Map<number, Map<number, [tenured: number, ended: number, abandoned: number]>> | undefined
  #timer: GuardedTimer | undefined
  #date = 0
  #dated = false
  #datesEnd: GuardedTimer | undefined

  get copies(): ReadonlyArray<EffectCopy> {
    return this.#copies.map(({ copy, where }) => ({ copy, where }))
  }

  readonly now = (): number => performanceNow() - this.#origin

  readonly adopt = (prototype: unknown, where: string, adoption?: Adoption): (() => void) | undefined => {
    if (!isFiberPrototype(prototype)) return undefined
    let copy = this.#copies.find((known) => known.prototype === prototype)
    if (copy === undefined) this.#copies.push(copy = this.#watch(prototype, where))
    copy.users++
    const adopted = copy
    if (adoption !== undefined) {
      if (adopted.shape === undefined) adopted.adoptions.push(adoption)
      else tell(adoption, adopted.shape)
    }
    let released = false
    return () => {
      if (released) return
      released = true
      if (--adopted.users > 0) return
      adopted.stop()
      this.#copies.splice(this.#copies.indexOf(adopted), 1)
      // Fibers of a copy that is no longer watched are removed, as if they had never been counted.
      adopted.table.tenuredSites((site) => this.#tenuredAt[site]!--)
      this.#started -= adopted.table.nursery + adopted.table.tenured
      if (this.#copies.length === 0) this.#stopTimers()
    }
  }

  readonly meet = (fiber: unknown): void => {
    const met = fiber as RuntimeFiber
    const copy = this.#copies.find(({ prototype }) => Object.prototype.isPrototypeOf.call(prototype, met))
    if (copy === undefined || hasEnded(met)) return
    this.#started++
    copy.table.add(met, framesOf(met), parentOf(met), this.now())
  }

  readonly counts = (): FiberCounts => {
    let tenured = 0
    let live = 0
    for (const { starting, table } of this.#copies) {
      tenured += table.tenured
      live += table.tenured + table.nursery + starting
    }
    return {
      started: this.#started,
      ended: this.#started - live - this.#abandoned,
      abandoned: this.#abandoned,
      live,
      tenured
    }
  }

  readonly liveBySite = (): ReadonlyMap<number, number> => {
    const out = new Map<number, number>()
    this.#tenuredAt.forEach((count, site) => count > 0 && out.set(site, count))
    for (const { table } of this.#copies) table.youngSites((site) => out.set(site, (out.get(site) ?? 0) + 1))
    return out
  }

  readonly tenuredAt = (site: number): number => this.#tenuredAt[site] ?? 0

  readonly abandonedAt = (site: number): number => this.#abandonedAt[site] ?? 0

  readonly dump = (): ReadonlyArray<FiberInfo> => this.fibers().map(([, info]) => info)

  readonly fibers = (most = Infinity): ReadonlyArray<readonly [RuntimeFiber, FiberInfo]> => {
    const now = this.now()
    const out: Array<readonly [RuntimeFiber, FiberInfo]> = []
    for (const { copy, table } of this.#copies) {
      for (const { fiber, id, parent, site, start } of table.entries()) {
        if (out.length >= most) return out
        out.push([fiber, {
          id,
          copy,
          parent: parent === 0 ? undefined : parent,
          site: this.sites.get(site),
          span: spanOf(fiber),
          ageMs: now - start,
          status: isRunning(fiber) ? "running" : "suspended",
          interruptible: fiber.interruptible !== false,
          interrupting: isInterrupting(fiber)
        }])
      }
    }
    return out
  }

  readonly fibersAt = (site: number, most: number): ReadonlyArray<RuntimeFiber> => {
    const stride = Math.max(1, Math.floor(this.tenuredAt(site) / Math.max(1, most)))
    const out: Array<RuntimeFiber> = []
    let index = 0
    for (const { table } of this.#copies) {
      for (const fiber of table.fibersAt(site)) {
        if (index++ % stride === 0 && out.push(fiber) >= most) return out
      }
    }
    return out
  }

  readonly sweep = (): void => {
    const now = this.now()
    for (const { table } of this.#copies) table.sweep(now - sweepEveryMs)
    if (!this.#scanning) this.#scan()
  }

  // A long pass is split into slices, so that no slice is noticeable.
  readonly #scan = (): void => {
    this.#scanning = false
    const now = this.now()
    for (const { table } of this.#copies) if (table.scan(now, scanBudget)) this.#scanning = true
    if (this.#scanning) this.#guard.after("scan", scanEveryMs, this.#scan)
  }

  readonly flow = (): ReadonlyArray<FiberFlow> => {
    const out: Array<FiberFlow> = []
    this.#flow?.forEach((byBirth, site) =>
      byBirth.forEach(([tenured, ended, abandoned], born) => out.push({ site, born, tenured, ended, abandoned }))
    )
    this.#flow = new Map()
    return out
  }

  readonly onFailure = (listener: (message: string) => void): () => void => {
    this.#failures.add(listener)
    return () => this.#failures.delete(listener)
  }

  readonly onEvent = (listener: (event: FiberEvent) => void): () => void => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly forkLines = (frameOf: ((effect: unknown) => StackFrame | undefined) | undefined): void => {
    this.#frameOf = frameOf
  }

  readonly bytes = (): number => this.#copies.reduce((sum, { table }) => sum + table.bytes, 0)

  #watch(prototype: FiberPrototype, where: string): Copy {
    const copyId = ++this.#copyIds
    const table = new FiberTable({
      site: (forked: FiberCache, now: FiberCache) => this.sites.intern(forked, now),
      tenured: (site, start, id) => {
        this.#tenuredAt[site] = (this.#tenuredAt[site] ?? 0) + 1
        this.#happened(copyId, "Tenured", site, start, id)
      },
      ended: (site, start, id) => {
        this.#tenuredAt[site]!--
        this.#happened(copyId, "Ended", site, start, id)
      },
      abandoned: (site, start, id) => {
        this.#tenuredAt[site]!--
        this.#abandonedAt[site] = (this.#abandonedAt[site] ?? 0) + 1
        this.#abandoned++
        this.#happened(copyId, "Abandoned", site, start, id)
      }
    })
    const shown = (shape: NonNullable<Copy["shape"]>): void => {
      copy.shape = shape
      for (const adoption of copy.adoptions.splice(0)) tell(adoption, shape)
    }
    const stop = watch(prototype, {
      confirmed: (missing) => shown({ missing }),
      refused: (refused) => shown({ refused }),
      starting: () => {
        this.#started++
        copy.starting++
      },
      started: (fiber, forked, parent, effect) => {
        copy.starting--
        if (fiber._exit === undefined) table.add(fiber, this.#withLine(forked, effect), parent, this.#recently())
      },
      ended: (fiber) => {
        table.end(fiber.id)
      }
    }, this.#guard)
    const copy: Copy = {
      copy: copyId,
      where,
      prototype,
      table,
      stop,
      shape: undefined,
      adoptions: [],
      starting: 0,
      users: 0
    }
    if (this.#timer === undefined) {
      this.#timer = this.#guard.every("sweep", sweepEveryMs, this.sweep)
      this.#datesEnd = this.#guard.after("date", dateForMs, () => void (this.#dated = false))
    }
    return copy
  }

  /** Stops the timers: there are no fibers to count. */
  #stopTimers(): void {
    this.#timer?.stop()
    this.#timer = undefined
    this.#datesEnd?.stop()
    this.#datesEnd = undefined
    this.#dated = false
  }

  /** A part of the census has thrown. Counts that miss a part are wrong, so all of it stops. */
  #failed(message: string): void {
    for (const { stop } of this.#copies) stop()
    this.#stopTimers()
    for (const listener of this.#failures) listener(message)
  }

  /** The time, up to {@link dateForMs} ago: reading the clock for each fiber would cost more than the rest of its record. */
  #recently(): number {
    if (!this.#dated) {
      this.#date = this.now()
      this.#dated = this.#datesEnd?.refresh() === true
    }
    return this.#date
  }

  #withLine(forked: FiberCache, effect: unknown): FiberCache {
    const line = this.#frameOf?.(effect)
    if (line === undefined) return forked
    const around = { ...line.parent!, parent: forked.stackFrame }
    return { stackFrame: { ...line, parent: around }, span: forked.span, origin: forked }
  }

  #happened(copy: number, tag: FiberEvent["_tag"], site: number, start: number, id: number): void {
    if (this.#flow !== undefined) {
      const born = Math.floor(start / 1000)
      let byBirth = this.#flow.get(site)
      if (byBirth === undefined) this.#flow.set(site, byBirth = new Map())
      let counts = byBirth.get(born)
      if (counts === undefined) byBirth.set(born, counts = [0, 0, 0])
      counts[tag === "Tenured" ? 0 : tag === "Ended" ? 1 : 2]++
    }
    if (this.#listeners.size === 0) return
    const event: FiberEvent = { _tag: tag, id, copy, site: this.sites.get(site), ageMs: this.now() - start }
    for (const listener of this.#listeners) listener(event)
  }
}

const tell = (adoption: Adoption, shape: NonNullable<Copy["shape"]>): void => {
  if ("missing" in shape) adoption.confirmed?.(shape.missing)
  else adoption.refused?.(shape.refused)
}

const spanOf = (fiber: RuntimeFiber): string | undefined => {
  const { span } = framesOf(fiber)
  return span?._tag === "Span" ? span.name : undefined
}

const globalKey = Symbol.for("@fiberscope/core/FiberCensus/2")

/**
 * The census of this process (of this thread: workers have their own).
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as FiberCensus from "@fiberscope/core/FiberCensus"
 *
 * const census = FiberCensus.get()
 *
 * const program = Effect.gen(function*() {
 *   const self = yield* Effect.fiber
 *   const stop = census.adopt(Object.getPrototypeOf(self), "this program")
 *   yield* Effect.forkChild(Effect.never, { startImmediately: true })
 *   console.log(census.counts().live) // 1: this fiber itself started before the census
 *   stop?.()
 * })
 *
 * Effect.runFork(program)
 * ```
 *
 * @category constructors
 */
export const get = (): FiberCensus => {
  const scope = globalThis as { [globalKey]?: FiberCensus }
  return scope[globalKey] ??= new Census()
}
