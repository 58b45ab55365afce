/**
 * When the things of one site were born and when they died, bounded however many there are and however long it takes.
 *
 * Births and deaths are kept by buckets of time. There are at most `maxBuckets`; when the recording outgrows them, neighbours are
 * merged, so that a bucket is never longer than 1/300 of the recording.
 *
 * @since 0.1.0
 */

/**
 * A group that was born in one bucket and died in another (or lives): milliseconds, `died` is `Infinity` for the living.
 *
 * @since 0.1.0
 * @category models
 */
export interface Life {
  readonly born: number
  readonly died: number
  readonly count: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Lives {
  readonly bear: (born: number, count: number) => void
  readonly die: (born: number, died: number, count: number) => void
  /** All that were ever born. */
  readonly born: () => number
  readonly living: () => number
  readonly all: () => Iterable<Life>
}

const maxBuckets = 600
const deathKey = 1024 // > maxBuckets

/**
 * Makes an empty record with buckets of `bucketMs` (1 s unless told).
 *
 * **Example**
 *
 * ```ts
 * import * as Lives from "@fiberscope/detector/Lives"
 *
 * const lives = Lives.make()
 * lives.bear(0, 10)
 * lives.die(0, 5000, 4)
 * console.log(lives.born(), lives.living()) // 10 6
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (bucketMs = 1000): Lives => {
  let bucket = bucketMs
  let births = new Map<number, number>()
  let deaths = new Map<number, number>()
  let born = 0
  let dead = 0
  const at = (t: number): number => {
    let index = Math.max(0, Math.floor(t / bucket))
    while (index >= maxBuckets) {
      coarsen()
      index = Math.floor(t / bucket)
    }
    return index
  }
  const coarsen = (): void => {
    bucket *= 2
    births = merge(births, (key) => key >> 1)
    deaths = merge(deaths, (key) => (Math.floor(key / deathKey) >> 1) * deathKey + ((key % deathKey) >> 1))
  }
  return {
    bear: (t, count) => {
      const key = at(t)
      births.set(key, (births.get(key) ?? 0) + count)
      born += count
    },
    die: (t, died, count) => {
      at(Math.max(t, died)) // may make the buckets coarser, so first
      const key = at(t) * deathKey + at(died)
      deaths.set(key, (deaths.get(key) ?? 0) + count)
      dead += count
    },
    born: () => born,
    living: () => born - dead,
    all: function*() {
      const living = new Map(births)
      for (const [key, count] of deaths) {
        const from = Math.floor(key / deathKey)
        living.set(from, (living.get(from) ?? 0) - count)
        yield { born: (from + 0.5) * bucket, died: ((key % deathKey) + 0.5) * bucket, count }
      }
      for (const [from, count] of living) if (count > 0) yield { born: (from + 0.5) * bucket, died: Infinity, count }
    }
  }
}

const merge = (counts: ReadonlyMap<number, number>, to: (key: number) => number): Map<number, number> => {
  const out = new Map<number, number>()
  for (const [key, count] of counts) out.set(to(key), (out.get(to(key)) ?? 0) + count)
  return out
}
