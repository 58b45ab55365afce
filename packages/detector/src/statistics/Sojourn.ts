/**
 * How long things had been there when they went.
 *
 * **Details**
 *
 * Sojourn times tell a queue that grows from everything that only looks like one. Where the consumer keeps up they are the same early
 * and late; where a container is full, what goes is as old as it takes to fill it; where a batch is let go, the youngest of it is young.
 * Only where more comes than goes does each wait longer than the one before: by Little's law (1961), what waits on average is the rate
 * of arrivals times the time it waits. Of a share `s` that stays, what goes at `t` came at `(1 - s) t`, so its age grows by `s`, also
 * where it is let go in lumps and nothing else can be told.
 */
import type { Life } from "./Lifetimes.ts"
import { kendall, senSlope } from "./Trend.ts"

/** What the times say, in milliseconds. */
export interface Sojourn {
  /** Standard deviations by which they get longer. */
  readonly z: number
  /** By how much they get longer in a millisecond. */
  readonly slope: number
  /** The same in the late half. */
  readonly slopeLate: number
  /** How long the first that went had been there. */
  readonly first: number
  /** How long the last that went had been there. */
  readonly last: number
}

/** Departures at one moment of which a tenth means something. */
const fewest = 5

/**
 * Looks at what was born and died within a window, and lived for at least `youngest` milliseconds.
 *
 * **Details**
 *
 * Departures are known by the reading that found them gone. Of each such group it is the youngest tenth that counts.
 *
 * **Example**
 *
 * ```ts
 * import * as Lives from "./Lifetimes.ts"
 * import * as Sojourn from "./Sojourn.ts"
 *
 * // Ten come each second, five go.
 * const queue = Lives.make()
 * for (let second = 0; second < 30; second++) queue.bear(second * 1000, 10)
 * for (let second = 0; second < 30; second++) queue.die(Math.floor(second / 2) * 1000, second * 1000, 5)
 *
 * console.log(Sojourn.of(queue.all(), { start: 0, end: 30_000 }, 3000).slope) // 0.5
 * ```
 */
export const of = (
  lives: Iterable<Life>,
  { end, start }: { readonly start: number; readonly end: number },
  youngest: number
): Sojourn => {
  const groups = new Map<number, Array<Life>>()
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
    if (count < fewest) continue
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
const youngestTenth = (group: ReadonlyArray<Life>, count: number): number => {
  let seen = 0
  const sorted = [...group].sort((a, b) => b.born - a.born)
  return sorted.find((life) => (seen += life.count) > count / 10)!.born
}
