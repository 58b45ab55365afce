/**
 * What a recording would have said, had fewer readings been taken.
 *
 * **Details**
 *
 * That is exact: of the objects that were born since the last reading that is kept, those that died before the next one are as if they
 * had never been sampled, and a heap floor that was forced by a reading is there only with that reading. What cannot be known are the
 * natural collections that would have happened instead.
 */
import type { Message, Samples, Tick } from "../../src/agent/Protocol.ts"

interface Line {
  readonly process: number
  readonly says: Message
}

/** The lines of a recording, with as many readings of each process, evenly over its time; the last one is always kept. */
export const thinned = (text: string, readings: number): string => {
  const lines = text.split("\n")
  const parsed = lines.map(parse)
  const times = new Map<number, Array<number>>()
  for (const line of parsed) {
    if (line?.says.type !== "samples") continue
    const all = times.get(line.process) ?? []
    times.set(line.process, all)
    all.push(line.says.t)
  }
  const processes = new Map(
    [...times].map(([process, all]) => [process, makeThinning(new Set(evenly(all, readings)), new Set(all))])
  )
  return lines.map((line, i) => {
    const of = parsed[i]
    const says = of === undefined ? undefined : processes.get(of.process)?.(of.says)
    return says === undefined || of === undefined
      ? line
      : says === "nothing"
      ? undefined
      : JSON.stringify({ process: of.process, says })
  }).filter((line) => line !== undefined).join("\n")
}

/** So many of the moments, the last one included. */
const evenly = (all: ReadonlyArray<number>, count: number): ReadonlyArray<number> =>
  all.length <= count
    ? all
    : Array.from({ length: count }, (_, i) => all[Math.round((i + 1) * all.length / count) - 1]!)

const makeThinning = (kept: ReadonlySet<number>, all: ReadonlySet<number>) => {
  let born = new Map<number, Samples["born"][number]>()
  let died: Array<number> = []
  let pauseMs = 0
  /** What is said instead; `undefined`: the same. */
  return (says: Message): Message | "nothing" | undefined => {
    if (says.type === "tick") return withoutFloors(says)
    if (says.type === "sampling") {
      born = new Map()
      died = []
    }
    if (says.type !== "samples") return undefined
    for (const one of says.born) born.set(one[0], one)
    for (const ordinal of says.died) if (!born.delete(ordinal)) died.push(ordinal)
    pauseMs += says.pauseMs
    if (!kept.has(says.t)) return "nothing"
    const merged: Samples = { type: "samples", t: says.t, born: [...born.values()], died, pauseMs }
    born = new Map()
    died = []
    pauseMs = 0
    return merged
  }

  function withoutFloors(tick: Tick): Tick | undefined {
    const left = tick.floors.filter(({ forced, t }) => !forced || kept.has(t) || !all.has(t))
    return left.length === tick.floors.length ? undefined : { ...tick, floors: left }
  }
}

const parse = (line: string): Line | undefined => {
  if (!line.startsWith("{\"process\":")) return undefined
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}
