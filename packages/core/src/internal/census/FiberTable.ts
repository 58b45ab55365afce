/**
 * The living fibers of one copy of Effect, kept without keeping them alive.
 *
 * A fiber that is suspended for the first time enters the **nursery**, which holds it strongly until it ends; most fibers end there
 * and cost nothing else. Its place is given by the low bits of its id: ids count up, so the nursery is a ring, and nothing has to be
 * looked up. A fiber that is still alive after a sweep interval, or in the place of a younger fiber, is **tenured**: a `WeakRef` and a few
 * numbers in paged arrays. Their ids are found through an open-addressing hash in typed arrays, so that nothing is written to the
 * fiber (a property on it would change its hidden class) and almost nothing lies on the heap.
 */
import type { FiberCache, RuntimeFiber } from "./FiberRuntime.ts"
import { framesOf, hasEnded } from "./FiberRuntime.ts"

/** The callbacks of the table when fibers change their state; times are in the table's own milliseconds. */
export interface FiberTableEvents {
  readonly site: (forked: FiberCache, now: FiberCache) => number
  readonly tenured: (site: number, start: number, id: number) => void
  readonly ended: (site: number, start: number, id: number) => void
  readonly abandoned: (site: number, start: number, id: number) => void
}

/** A fiber of the table, as it is read. */
export interface FiberEntry {
  readonly fiber: RuntimeFiber
  readonly id: number
  readonly parent: number
  readonly site: number
  readonly start: number
}

const nurserySize = 4096 // a power of two
const nurseryMask = nurserySize - 1
const noId = -1
const pageBits = 12
const pageSize = 1 << pageBits
const pageMask = pageSize - 1

interface Page {
  readonly refs: Array<WeakRef<RuntimeFiber> | undefined>
  readonly ids: Float64Array
  readonly starts: Float64Array
  readonly parents: Float64Array
  readonly sites: Uint16Array
}

const makePage = (): Page => ({
  refs: new Array<WeakRef<RuntimeFiber> | undefined>(pageSize).fill(undefined),
  ids: new Float64Array(pageSize),
  starts: new Float64Array(pageSize),
  parents: new Float64Array(pageSize),
  sites: new Uint16Array(pageSize)
})

/** Bytes of one tenured slot outside of the WeakRef itself (32 bytes on a 64-bit V8 without pointer compression). */
const slotBytes = 8 + 8 + 8 + 8 + 2

export class FiberTable {
  readonly #events: FiberTableEvents
  // The nursery. A place knows its id, so that a fiber that ends is compared with a number and not with another fiber's memory.
  readonly #fibers: Array<RuntimeFiber | undefined> = new Array<RuntimeFiber | undefined>(nurserySize).fill(undefined)
  readonly #caches: Array<FiberCache | undefined> = new Array<FiberCache | undefined>(nurserySize).fill(undefined)
  readonly #nurseryIds = new Float64Array(nurserySize).fill(noId)
  readonly #nurseryStarts = new Float64Array(nurserySize)
  readonly #nurseryParents = new Float64Array(nurserySize)
  #young = 0
  // The tenured, in pages; free slots are linked through `parents`.
  readonly #pages: Array<Page> = []
  #free = -1
  #used = 0
  #old = 0
  readonly #index: IdIndex
  #cursor = -1
  #passed = -Infinity
  #canary: WeakRef<object> | undefined

  constructor(events: FiberTableEvents) {
    this.#events = events
    this.#index = new IdIndex((slot) => this.#pages[slot >>> pageBits]!.ids[slot & pageMask]!)
  }

  get nursery(): number {
    return this.#young
  }

  get tenured(): number {
    return this.#old
  }

  /** The memory that the records take, in bytes, WeakRefs included. */
  get bytes(): number {
    return nurserySize * (8 * 5) + this.#pages.length * pageSize * slotBytes + this.#old * 32 + this.#index.bytes
  }

  add(fiber: RuntimeFiber, forked: FiberCache, parent: number, start: number): void {
    const id = fiber.id
    const at = id & nurseryMask
    const older = this.#fibers[at]
    if (older !== undefined) this.#promote(at, older)
    this.#fibers[at] = fiber
    this.#caches[at] = forked
    this.#nurseryIds[at] = id
    this.#nurseryStarts[at] = start
    this.#nurseryParents[at] = parent
    this.#young++
  }

  /** Forgets a fiber that has ended; `false` when it was not (or no longer) known. */
  end(id: number): boolean {
    const at = id & nurseryMask
    if (this.#nurseryIds[at] === id) {
      this.#clearNursery(at)
      return true
    }
    const slot = this.#index.remove(id)
    if (slot < 0) return false
    const page = this.#pages[slot >>> pageBits]!
    const site = page.sites[slot & pageMask]!
    const start = page.starts[slot & pageMask]!
    this.#release(slot)
    this.#events.ended(site, start, id)
    return true
  }

  /** Tenures what entered the nursery before `before`. */
  sweep(before: number): void {
    if (this.#young === 0) return
    for (let at = 0; at < nurserySize; at++) {
      const fiber = this.#fibers[at]
      if (fiber !== undefined && this.#nurseryStarts[at]! <= before) this.#promote(at, fiber)
    }
  }

  /**
   * Looks for collected fibers, `budget` slots at most; `true` while a pass is under way.
   *
   * A fiber can only vanish in a major collection, and a dead canary shows that one has passed: without one, a pass would
   * dereference every living fiber for nothing. Passes are spaced by the number of fibers, so that they cost 0.1 % at most.
   */
  scan(now: number, budget: number): boolean {
    if (this.#cursor < 0) {
      if (this.#old === 0 || now - this.#passed < this.#old / 20) return false
      if (this.#canary !== undefined && this.#canary.deref() !== undefined) return false
      this.#canary = new WeakRef({})
      this.#cursor = 0
    }
    const end = Math.min(this.#used, this.#cursor + budget)
    for (let slot = this.#cursor; slot < end; slot++) {
      const page = this.#pages[slot >>> pageBits]!
      const at = slot & pageMask
      const ref = page.refs[at]
      if (ref === undefined) continue
      const fiber = ref.deref()
      if (fiber !== undefined && !hasEnded(fiber)) continue
      const id = page.ids[at]!
      const site = page.sites[at]!
      const start = page.starts[at]!
      this.#index.remove(id)
      this.#release(slot)
      if (fiber === undefined) this.#events.abandoned(site, start, id)
      else this.#events.ended(site, start, id)
    }
    this.#cursor = end === this.#used ? -1 : end
    if (this.#cursor < 0) this.#passed = now
    return this.#cursor >= 0
  }

  /** Every fiber that is known and still there. Dereferencing keeps each alive until the current job ends. */
  *entries(): IterableIterator<FiberEntry> {
    for (let at = 0; at < nurserySize; at++) {
      const fiber = this.#fibers[at]
      if (fiber === undefined || hasEnded(fiber)) continue
      yield {
        fiber,
        id: fiber.id,
        parent: this.#nurseryParents[at]!,
        site: this.#events.site(this.#caches[at]!, framesOf(fiber)),
        start: this.#nurseryStarts[at]!
      }
    }
    for (let slot = 0; slot < this.#used; slot++) {
      const page = this.#pages[slot >>> pageBits]!
      const at = slot & pageMask
      const fiber = page.refs[at]?.deref()
      if (fiber === undefined || hasEnded(fiber)) continue
      yield { fiber, id: fiber.id, parent: page.parents[at]!, site: page.sites[at]!, start: page.starts[at]! }
    }
  }

  /** The sites of the fibers in the nursery, which are not counted by site before they are tenured. */
  youngSites(count: (site: number) => void): void {
    if (this.#young === 0) return
    for (let at = 0; at < nurserySize; at++) {
      const fiber = this.#fibers[at]
      if (fiber !== undefined) count(this.#events.site(this.#caches[at]!, framesOf(fiber)))
    }
  }

  /** The tenured fibers of a site that are still there. */
  *fibersAt(site: number): IterableIterator<RuntimeFiber> {
    for (let slot = 0; slot < this.#used; slot++) {
      const page = this.#pages[slot >>> pageBits]!
      if (page.sites[slot & pageMask] !== site) continue
      const fiber = page.refs[slot & pageMask]?.deref()
      if (fiber !== undefined && !hasEnded(fiber)) yield fiber
    }
  }

  /** The site of each tenured fiber. */
  tenuredSites(visit: (site: number) => void): void {
    for (let slot = 0; slot < this.#used; slot++) {
      const page = this.#pages[slot >>> pageBits]!
      if (page.refs[slot & pageMask] !== undefined) visit(page.sites[slot & pageMask]!)
    }
  }

  #clearNursery(at: number): void {
    this.#fibers[at] = undefined
    this.#caches[at] = undefined
    this.#nurseryIds[at] = noId
    this.#young--
  }

  #promote(at: number, fiber: RuntimeFiber): void {
    const id = this.#nurseryIds[at]!
    const start = this.#nurseryStarts[at]!
    if (hasEnded(fiber)) { // its end was not seen: an observer threw, or it was met in the middle of its first run
      this.#clearNursery(at)
      return
    }
    const site = this.#events.site(this.#caches[at]!, framesOf(fiber))
    let slot = this.#free
    if (slot < 0) {
      slot = this.#used++
      if ((slot >>> pageBits) === this.#pages.length) this.#pages.push(makePage())
    } else {
      this.#free = this.#pages[slot >>> pageBits]!.parents[slot & pageMask]!
    }
    const page = this.#pages[slot >>> pageBits]!
    const to = slot & pageMask
    page.refs[to] = new WeakRef(fiber)
    page.ids[to] = id
    page.starts[to] = start
    page.parents[to] = this.#nurseryParents[at]!
    page.sites[to] = site
    this.#index.add(id, slot)
    this.#old++
    this.#clearNursery(at)
    this.#events.tenured(site, start, id)
  }

  #release(slot: number): void {
    const page = this.#pages[slot >>> pageBits]!
    const at = slot & pageMask
    page.refs[at] = undefined
    page.parents[at] = this.#free
    this.#free = slot
    this.#old--
  }
}

const parts = 64
const firstSize = 16

/**
 * From the id of a fiber to its place in the table: linear probing with backward-shift deletion, in 64 parts that grow one at a
 * time, so that the longest pause at a million fibers is that of 16 000. Only places are stored; ids are compared where they live.
 */
class IdIndex {
  readonly #idAt: (index: number) => number
  readonly #tables: Array<Int32Array> = Array.from({ length: parts }, () => new Int32Array(firstSize)) // place + 1, or 0
  readonly #counts = new Uint32Array(parts)

  constructor(idAt: (index: number) => number) {
    this.#idAt = idAt
  }

  get bytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.byteLength, 0)
  }

  add(id: number, index: number): void {
    const part = id & (parts - 1)
    let table = this.#tables[part]!
    if (++this.#counts[part]! * 2 > table.length) table = this.#resize(part, table.length * 2)
    else if (table.length > firstSize && this.#counts[part]! * 16 < table.length) {
      table = this.#resize(part, table.length / 4)
    }
    put(table, id, index)
  }

  /** Removes an id and returns its place, or -1. */
  remove(id: number): number {
    const part = id & (parts - 1)
    const table = this.#tables[part]!
    const mask = table.length - 1
    let at = hash(id) & mask
    for (;;) {
      const entry = table[at]!
      if (entry === 0) return -1
      if (this.#idAt(entry - 1) === id) {
        this.#counts[part]!--
        this.#close(table, at)
        return entry - 1
      }
      at = (at + 1) & mask
    }
  }

  /** Closes the gap at `at`: moves back each entry that probing would no longer find. */
  #close(table: Int32Array, at: number): void {
    const mask = table.length - 1
    let gap = at
    for (let next = (at + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = hash(this.#idAt(table[next]! - 1)) & mask
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        table[gap] = table[next]!
        gap = next
      }
    }
    table[gap] = 0
  }

  #resize(part: number, size: number): Int32Array {
    const old = this.#tables[part]!
    const table = new Int32Array(size)
    for (let at = 0; at < old.length; at++) {
      const entry = old[at]!
      if (entry !== 0) put(table, this.#idAt(entry - 1), entry - 1)
    }
    this.#tables[part] = table
    return table
  }
}

const put = (table: Int32Array, id: number, index: number): void => {
  const mask = table.length - 1
  let at = hash(id) & mask
  while (table[at] !== 0) at = (at + 1) & mask
  table[at] = index + 1
}

// Ids are consecutive, the low bits choose the part: spread the rest.
const hash = (id: number): number => Math.imul(id >>> 6, 0x9e3779b1) >>> 8
