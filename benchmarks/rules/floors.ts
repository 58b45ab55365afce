/** Simulated heap floors, one per reading, in units of their noise. */
import type { Random } from "../../packages/detector/test/support/random.ts"

export interface Floors {
  readonly name: string
  readonly leaks: boolean
  readonly make: (random: Random, readings: number) => ReadonlyArray<number>
}

/** Autocorrelated noise. `memory` is the correlation with the previous value. */
const noise = (random: Random, readings: number, memory: number): ReadonlyArray<number> => {
  let x = random.normal()
  return Array.from(
    { length: readings },
    () => x = memory * x + Math.sqrt(1 - memory * memory) * random.normal()
  )
}

const warmUp = (tau: number): Floors["make"] => (random, readings) =>
  noise(random, readings, 0.3).map((value, i) => value + 20 * (1 - Math.exp(-i / tau)))

export const floors: ReadonlyArray<Floors> = [
  { name: "flat", leaks: false, make: (random, readings) => noise(random, readings, 0) },
  { name: "AR(1) 0.7", leaks: false, make: (random, readings) => noise(random, readings, 0.7) },
  { name: "warm-up, tau 5", leaks: false, make: warmUp(5) },
  { name: "warm-up, tau 10", leaks: false, make: warmUp(10) },
  {
    name: "one step",
    leaks: false,
    make: (random, readings) => {
      const at = random.integer(5, readings - 5)
      return noise(random, readings, 0.3).map((value, i) => value + (i >= at ? 6 : 0))
    }
  },
  {
    name: "sawtooth",
    leaks: false,
    make: (random, readings) => {
      const phase = random.integer(0, 9)
      return noise(random, readings, 0.3).map((value, i) => value + 6 * ((i + phase) % 10) / 10)
    }
  },
  {
    name: "LEAK, 0.5 deviations per reading",
    leaks: true,
    make: (random, readings) => noise(random, readings, 0.3).map((value, i) => value + 0.5 * i)
  }
]
