/**
 * When the things of one site were born and when they died, bounded however many there are and however long it takes.
 *
 * Births and deaths are kept by buckets of time. Without a window there are at most 600: when the recording outgrows them, neighbours
 * are merged, so that a bucket is never longer than 1/300 of the recording. With a window, what happened before it is forgotten, but
 * for the fact that something was born then and lives.
 */

/**
 * A group that was born in one bucket and died in another (or lives): milliseconds. `died` is `Infinity` for the living, `born` is
 * `-Infinity` for what was there before the window.
 */
export interface Lifetime {
  readonly born: number
  readonly died: number
  readonly count: number
}

export interface Lifetimes {
  readonly recordBirth: (born: number, count: number) => void
  readonly recordDeath: (born: number, died: number, count: number) => void
  /** All that were ever born. */
  readonly born: () => number
  readonly living: () => number
  readonly all: () => Iterable<Lifetime>
}

/** Buckets of a record at most: they bound its memory. */
export const buckets = 600

/**
 * Makes an empty record.
 *
 * **Example**
 *
 * ```ts
 * import * as Lifetimes from "./Lifetimes.ts"
 *
 * const lives = Lifetimes.make()
 * lives.recordBirth(0, 10)
 * lives.recordDeath(0, 5000, 4)
 * console.log(lives.born(), lives.living()) // 10 6
 * ```
 */
export const make = (options?: {
  /** Milliseconds. Default 1000. */
  readonly bucketMs?: number | undefined
  /** Milliseconds that are remembered. Default: all. */
  readonly windowMs?: number | undefined
}): Lifetimes => {
  const windowMs = options?.windowMs
  let bucket = Math.max(options?.bucketMs ?? 1000, (windowMs ?? 0) / buckets)
  // By bucket; what was born before the window is in the bucket -Infinity.
  let births = new Map<number, number>()
  let deaths = new Map<number, Map<number, number>>()
  let first = 0
  let born = 0
  let dead = 0

  /** Makes room for `t`, before any bucket is looked up. */
  const reach = (t: number): void => {
    if (windowMs === undefined) {
      while (t / bucket >= buckets) coarsen()
      return
    }
    const oldest = Math.floor((t - windowMs) / bucket)
    if (oldest > first) forget(first = oldest)
  }

  const at = (t: number): number => {
    const index = Math.max(0, Math.floor(t / bucket))
    return index < first ? -Infinity : index
  }

  const coarsen = (): void => {
    bucket *= 2
    births = merge(births)
    const merged = new Map<number, Map<number, number>>()
    for (const [from, ends] of deaths) {
      const to = merged.get(from >> 1)
      merged.set(from >> 1, to === undefined ? merge(ends) : merge(ends, to))
    }
    deaths = merged
  }

  const forget = (oldest: number): void => {
    for (const [from, ends] of deaths) {
      for (const [end, count] of ends) {
        if (end >= oldest) continue
        ends.delete(end)
        add(births, from, -count)
      }
      if (ends.size === 0) deaths.delete(from)
      else if (from < oldest && from !== -Infinity) {
        deaths.delete(from)
        for (const [end, count] of ends) addDeath(-Infinity, end, count)
      }
    }
    for (const [from, count] of births) {
      if (from >= oldest || from === -Infinity) continue
      births.delete(from)
      add(births, -Infinity, count)
    }
  }

  const addDeath = (from: number, end: number, count: number): void => {
    let ends = deaths.get(from)
    if (ends === undefined) deaths.set(from, ends = new Map())
    add(ends, end, count)
  }

  const time = (index: number): number => index === -Infinity ? -Infinity : (index + 0.5) * bucket

  return {
    recordBirth: (t, count) => {
      reach(t)
      add(births, at(t), count)
      born += count
    },
    recordDeath: (t, died, count) => {
      reach(Math.max(t, died))
      addDeath(at(t), at(died), count)
      dead += count
    },
    born: () => born,
    living: () => born - dead,
    all: function*() {
      const living = new Map(births)
      for (const [from, ends] of deaths) {
        for (const [end, count] of ends) {
          add(living, from, -count)
          yield { born: time(from), died: time(end), count }
        }
      }
      for (const [from, count] of living) if (count > 0) yield { born: time(from), died: Infinity, count }
    }
  }
}

/** The living by time of birth, in equal parts of the time from `start` to `end`, oldest first. */
export const survivors = (
  lives: Iterable<Lifetime>,
  { end, start }: { readonly start: number; readonly end: number },
  parts = 20
): ReadonlyArray<number> => {
  const out = new Array<number>(parts).fill(0)
  for (const { born, count, died } of lives) {
    if (died !== Infinity) continue
    const part = Math.floor((born - start) / (end - start) * parts)
    out[Math.min(parts - 1, Math.max(0, part))]! += count
  }
  return out
}

const add = (counts: Map<number, number>, key: number, count: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

const merge = (counts: ReadonlyMap<number, number>, out = new Map<number, number>()): Map<number, number> => {
  for (const [key, count] of counts) add(out, key >> 1, count)
  return out
}
