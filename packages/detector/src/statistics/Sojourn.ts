/**
 * Waiting times: the age of things at their departure.
 *
 * **Details**
 *
 * Sojourn times distinguish a queue that grows from what only looks like one. If the consumer keeps up, they are the same early and late.
 * If a collection is full, a thing departs at the age that it takes to fill it. If a batch is released, its youngest is young. Only if more
 * arrive than depart does each wait longer than the one before: by Little's law (1961), the number that waits is the rate of arrivals times
 * the time that each waits. If a share `s` stays, a thing that departs at `t` arrived at `(1 - s) t`, so its age grows by `s`, also where
 * items are released in batches.
 */
import type { Lifetime } from "./Lifetimes.ts"
import { limits } from "./limits.ts"
import { kendall, senSlope } from "./Trend.ts"

/** The trend of waiting times, in milliseconds. */
export interface Sojourn {
  /** Standard deviations of the growth. */
  readonly z: number
  /** Growth in a millisecond. */
  readonly slope: number
  /** The same in the late half. */
  readonly slopeLate: number
  /** The waiting time of the first departure. */
  readonly first: number
  /** The waiting time of the last departure. */
  readonly last: number
}

/** Standard deviations of six sojourn times that each exceed the one before: chance does that once in 720. */
export const longerZ = kendall([1, 2, 3, 4, 5, 6])

/**
 * The trend for things that were born and died within a window, and lived for at least `youngest` milliseconds.
 *
 * **Details**
 *
 * A departure is known by the reading that found it. The youngest tenth of each such group counts.
 *
 * **Example**
 *
 * ```ts
 * import * as Lifetimes from "./Lifetimes.ts"
 * import * as Sojourn from "./Sojourn.ts"
 *
 * // Ten come each second, five go.
 * const queue = Lifetimes.make()
 * for (let second = 0; second < 30; second++) queue.recordBirth(second * 1000, 10)
 * for (let second = 0; second < 30; second++) queue.recordDeath(Math.floor(second / 2) * 1000, second * 1000, 5)
 *
 * console.log(Sojourn.of(queue.all(), { start: 0, end: 30_000 }, 3000).slope) // 0.5
 * ```
 */
export const of = (
  lives: Iterable<Lifetime>,
  { end, start }: { readonly start: number; readonly end: number },
  youngest: number
): Sojourn => {
  const groups = new Map<number, Array<Lifetime>>()
  for (const life of lives) {
    const { born, died } = life
    if (born < start || died > end || died - born < youngest) continue
    const group = groups.get(died)
    if (group === undefined) groups.set(died, [life])
    else group.push(life)
  }
  const times: Array<number> = []
  const ages: Array<number> = []
  for (const [died, group] of [...groups].sort((a, b) => a[0] - b[0])) {
    const count = group.reduce((sum, life) => sum + life.count, 0)
    if (count < limits.points) continue
    times.push(died)
    ages.push(died - youngestTenth(group, count))
  }
  const half = Math.floor(ages.length / 2)
  return {
    z: kendall(ages),
    slope: senSlope(ages, times),
    slopeLate: senSlope(ages.slice(half), times.slice(half)),
    first: ages[0] ?? 0,
    last: ages.at(-1) ?? 0
  }
}

/** When the oldest of the youngest tenth was born. */
const youngestTenth = (group: ReadonlyArray<Lifetime>, count: number): number => {
  let seen = 0
  const sorted = [...group].sort((a, b) => b.born - a.born)
  return sorted.find((life) => (seen += life.count) > limits.few * count)!.born
}
