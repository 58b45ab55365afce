/** Distinguishes memory that grows with the number of cycles from warm-up and noise. */

/** The heap size after a garbage collection at the end of a cycle. */
export interface Floor {
  readonly cycle: number
  readonly bytes: number
}

/** The trend of the heap: the slope over the cycles after warm-up, and whether it counts as growth. */
export interface Growth {
  readonly bytesPerCycle: number
  readonly grows: boolean
}

/** The minimum number of readings that can show a trend, after those of the warm-up. */
const fewest = 8
/** The number of readings to skip as warm-up: caches fill in the first third, and in the first cycles. */
const warmUp = 1 / 3
const warmUpAtLeast = 12
/** The minimum number of readings for a judgement. */
export const fewestFloors = fewest + warmUpAtLeast
/** The number of standard deviations by which a rise must exceed chance. */
const significant = 3
/** Smaller growth over all readings is noise of the garbage collection; in a large heap, this share of it. */
const noiseBytes = 64 * 1024
const noisePart = 0.005

/**
 * The slope is Sen's estimate, the median of the slopes between all pairs (Sen 1968); the Mann–Kendall test decides whether it
 * rises. A warm-up flattens over time: a leak rises in the last third at least half as fast as in the first.
 */
export const growthOf = (floors: ReadonlyArray<Floor>): Growth | undefined => {
  const judged = floors.slice(Math.max(Math.floor(floors.length * warmUp), warmUpAtLeast))
  if (judged.length < fewest) return undefined
  const bytesPerCycle = slope(judged)
  const [first, last] = [judged[0]!, judged.at(-1)!]
  const noise = Math.max(noiseBytes, first.bytes * noisePart)
  const third = Math.ceil(judged.length / 3)
  const goesOn = slope(judged.slice(-third)) > slope(judged.slice(0, third)) / 2
  const grows = risesBy(judged) >= significant && bytesPerCycle * (last.cycle - first.cycle) > noise && goesOn
  return { bytesPerCycle, grows }
}

const slope = (floors: ReadonlyArray<Floor>): number => {
  const slopes: Array<number> = []
  pairs(floors, (a, b) => slopes.push((b.bytes - a.bytes) / (b.cycle - a.cycle)))
  slopes.sort((a, b) => a - b)
  const middle = slopes.length >> 1
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2
}

/** The Mann–Kendall statistic, in standard deviations. */
const risesBy = (floors: ReadonlyArray<Floor>): number => {
  let rises = 0
  pairs(floors, (a, b) => rises += Math.sign(b.bytes - a.bytes))
  const n = floors.length
  return (rises - Math.sign(rises)) / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
}

const pairs = (floors: ReadonlyArray<Floor>, visit: (earlier: Floor, later: Floor) => void): void => {
  floors.forEach((later, i) => {
    for (const earlier of floors.slice(0, i)) visit(earlier, later)
  })
}
